# Boots multiboot images by GRUB on Debian's Bochs; sourced by the tests and benches that need this peer.
# Works in the current folder, which is the caller's to remove; end_bochs belongs into its EXIT trap.

bochs_bios=/usr/share/bochs/BIOS-bochs-latest
bochs_video=/usr/share/bochs/VGABIOS-lgpl-latest
bochs_process=
bochs_terminal=

# Prints what is missing, one line; nothing when Bochs can boot images here.
bochs_missing() {
  for word in bochs:bochs grub-mkrescue:grub-common xorriso:xorriso mformat:mtools script:bsdutils; do
    command -v "${word%%:*}" > /dev/null || { echo "${word%%:*} is not installed (package ${word#*:})"; return; }
  done
  [ -e "$bochs_bios" ] && [ -e "$bochs_video" ] ||
    { echo "the firmware of Bochs is not installed (package bochsbios)"; return; }
  # GRUB for a PC BIOS, and the one display of Debian's build that needs no window.
  [ -d /usr/lib/grub/i386-pc ] || { echo "GRUB for PC BIOS is not installed (package grub-pc-bin)"; return; }
  compgen -G '/usr/lib/*/bochs/plugins/libbx_term_gui.so' > /dev/null ||
    echo "Bochs' terminal display is not installed (package bochs-term)"
}

end_bochs() { # script(1) does not always notice that its program has ended
  [ -z "$bochs_process" ] || kill "$bochs_process" 2> /dev/null
  [ -z "$bochs_terminal" ] || kill "$bochs_terminal" 2> /dev/null
  wait
  bochs_process= bochs_terminal=
}

# start_bochs 'GRUB LINES' FILE…: the files are in the root of the disc; serial output goes to serial.txt, or to the
# file or pipe $bochs_serial.
start_bochs() {
  local lines=$1
  shift
  rm -rf iso && mkdir -p iso/boot/grub && cp "$@" iso/ || return 1
  printf 'set timeout=0\nmenuentry image {\n%s\n}\n' "$lines" > iso/boot/grub/grub.cfg
  grub-mkrescue -o disc.iso iso > mkrescue.log 2>&1 || { cat mkrescue.log; return 1; }
  echo c > go # Debian's build has the debugger: "continue"
  cat > bochsrc <<RC
config_interface: textconfig
display_library: term
romimage: file=$bochs_bios
vgaromimage: file=$bochs_video
cpu: model=corei7_skylake_x, count=1, ips=50000000
memory: guest=512, host=512
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=${bochs_serial:-serial.txt}
clock: sync=none
log: bochs.log
panic: action=fatal
RC
  rm -f serial.txt bochs.log pid
  TERM=xterm script -qc 'echo $$ > pid; exec bochs -q -f bochsrc -rc go' /dev/null \
    < /dev/null > terminal.txt 2>&1 &
  bochs_terminal=$!
}

# wait_for_serial PATTERN SECONDS: until the serial output matches; sets bochs_process.
wait_for_serial() {
  local waiting=0
  until grep -qsE "$1" serial.txt; do
    [ $((waiting += 1)) -gt $(($2 * 20)) ] && break
    sleep 0.05
  done
  [ -s pid ] && bochs_process=$(cat pid)
  grep -qsE "$1" serial.txt
}
