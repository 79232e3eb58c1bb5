#!/usr/bin/env bash
# The hypervisor with each payload that judges it, booted by GRUB on Bochs: the same lines on the serial port as here.
# usage: VITRINE_BUILD=FOLDER tests/peers/bochs_test.sh [payload…]; skips where Bochs, GRUB or Bochs' VMX is missing.
set -u
build=${VITRINE_BUILD:?the build folder}
payloads=("$@")
[ $# -ne 0 ] || payloads=(tour preserve ports slices)
skip() { echo "skipped: $1"; exit 77; }

for word in bochs:bochs grub-mkrescue:grub-common xorriso:xorriso mformat:mtools script:bsdutils; do
  command -v "${word%%:*}" > /dev/null || skip "${word%%:*} is not installed (package ${word#*:})"
done
bios=/usr/share/bochs/BIOS-bochs-latest
video=/usr/share/bochs/VGABIOS-lgpl-latest
[ -e "$bios" ] && [ -e "$video" ] || skip "the firmware of Bochs is not installed (package bochsbios)"
# GRUB for a PC BIOS, and the one display of Debian's build that needs no window.
[ -d /usr/lib/grub/i386-pc ] || skip "GRUB for PC BIOS is not installed (package grub-pc-bin)"
compgen -G '/usr/lib/*/bochs/plugins/libbx_term_gui.so' > /dev/null ||
  skip "Bochs' terminal display is not installed (package bochs-term)"
[ -e "$build/images/vitrine-hv.elf" ] || skip "the images are not built"

work=$(mktemp -d) || exit 2
peer=
terminal=
end_peer() { # script(1) does not always notice that its program has ended
  [ -z "$peer" ] || kill "$peer" 2> /dev/null
  [ -z "$terminal" ] || kill "$terminal" 2> /dev/null
  wait
  peer= terminal=
}
trap 'end_peer; rm -rf "$work"' EXIT
cd "$work" || exit 2
mkdir -p iso/boot/grub
cp "$build/images/vitrine-hv.elf" iso/
echo c > go # Debian's build has the debugger: "continue"

# boot PAYLOAD: its serial output on Bochs into serial.txt, until it has summed up or a minute is over.
boot() {
  cp "$build/images/$1.elf" iso/payload.elf
  printf 'set timeout=0\nmenuentry %s {\n multiboot2 /vitrine-hv.elf\n module2 /payload.elf\n}\n' \
    "$1" > iso/boot/grub/grub.cfg
  grub-mkrescue -o disc.iso iso > mkrescue.log 2>&1 || { cat mkrescue.log; return 1; }
  cat > bochsrc <<RC
config_interface: textconfig
display_library: term
romimage: file=$bios
vgaromimage: file=$video
cpu: model=corei7_skylake_x, count=1, ips=50000000
memory: guest=512, host=512
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
clock: sync=none
log: bochs.log
panic: action=fatal
RC
  rm -f serial.txt bochs.log pid
  TERM=xterm script -qc 'echo $$ > pid; exec timeout 70 bochs -q -f bochsrc -rc go' /dev/null \
    < /dev/null > terminal.txt 2>&1 &
  terminal=$!
  local waiting=0
  until grep -qsE '^[A-Z]+ (PASS|FAIL)|hv: stopped' serial.txt; do
    [ $((waiting += 1)) -gt 600 ] && break
    sleep 0.1
  done
  sleep 0.5 # the rest of the last line
  [ -s pid ] && peer=$(cat pid)
  end_peer
}

failed=0
for payload in "${payloads[@]}"; do
  boot "$payload" || exit 1
  # What a processor model offers is in Bochs' log, a feature a line.
  grep -qE '\[CPU0 *\][[:space:]]+vmx$' bochs.log || skip "this build of Bochs has no VMX"
  "$build/vitrine" run "$payload" --hv builtin -q --serial stdio < /dev/null > here.txt 2> /dev/null
  tr -d '\r' < serial.txt > there.txt
  tr -d '\r' < here.txt | diff - there.txt > differences.txt
  if [ -s there.txt ] && [ ! -s differences.txt ]; then
    echo "$payload: $(wc -l < there.txt) lines are the same: $(tail -n 1 there.txt)"
  else
    echo "$payload: differs from Bochs (< here, > there):"
    head -n 20 differences.txt
    failed=1
  fi
done
bochs --help 2>&1 | sed -n 's/^ *\(Bochs x86 Emulator .*\)/judge: \1/p'
exit $failed
