#!/usr/bin/env bash
# Runs the same images here, on QEMU TCG and on Bochs, one after another, and prints a table of times and ratios.
# usage: bench/peers.sh BUILD-FOLDER [runs]
# Each figure is the median of several differences of user time between a long and a short run, so that start-up and
# firmware drop out. A peer that is not installed has a dash.
set -euo pipefail
build=$(cd "${1:?the build folder}" && pwd)
runs=${2:-3}
. "$(dirname "${BASH_SOURCE[0]}")/../tests/peers/bochs.sh"
work=$(mktemp -d)
trap 'end_bochs; rm -rf "$work"' EXIT
cd "$work"

seconds() { # the user time of a command, in seconds
  local TIMEFORMAT=%U
  { time "$@" > /dev/null 2>&1 || true; } 2>&1
}

# Runners: RUNNER IMAGE 'COMMAND LINE' prints seconds. An image with hypervisor needs VMX, which QEMU TCG lacks.
ours() { seconds "$build/vitrine" run "$1" -q --hv "${hypervisor:-none}" --serial null --append "$2"; }
interpreter() { seconds "$build/vitrine" run "$1" -q --engine interpreter --hv "${hypervisor:-none}" --serial null --append "$2"; }
qemu() {
  seconds qemu-system-x86_64 -accel tcg -m 64 -display none -serial null -monitor none -no-reboot \
    -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$build/images/$1.elf" -append "$2"
}
bochs() {
  cp "$build/images/$1.elf" image.elf
  if [ -n "${hypervisor:-}" ]; then
    start_bochs " multiboot2 /vitrine-hv.elf
 module2 /image.elf $2" "$build/images/vitrine-hv.elf" image.elf > /dev/null 2>&1
  else
    start_bochs " multiboot2 /image.elf $2" image.elf > /dev/null 2>&1
  fi
  wait_for_serial ' sum [0-9]' 120
  awk -v hertz="$(getconf CLK_TCK)" '{ print $14 / hertz }' "/proc/$bochs_process/stat"
  end_bochs 2> /dev/null
}

# median RUNNER IMAGE OPTION SHORT LONG: nanoseconds for one of what OPTION counts.
median() {
  for _ in $(seq "$runs"); do
    a=$("$1" "$2" "$3$4")
    b=$("$1" "$2" "$3$5")
    awk -v a="$a" -v b="$b" -v n=$(($5 - $4)) 'BEGIN { printf "%.1f\n", (b - a) / n * 1e9 }'
  done | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row TITLE IMAGE OPTION SHORT LONG RUNNER…: a line of the table; a dash for a runner that is "-".
row() {
  local title=$1 image=$2 option=$3 short=$4 long=$5 line='' first=''
  shift 5
  for runner in "$@"; do
    if [ "$runner" = - ]; then
      line+=" | -"
      continue
    fi
    local figure
    figure=$(median "$runner" "$image" "$option" "$short" "$long")
    [ -n "$first" ] || first=$figure
    line+=$(awk -v f="$figure" -v o="$first" 'BEGIN { printf " | %.4g ns (%.2f)", f, f / o }')
  done
  echo "| $title$line |"
}

qemu=- bochs=-
if command -v qemu-system-x86_64 > /dev/null; then
  qemu=qemu
  qemu-system-x86_64 --version | head -n 1
fi
missing=$(bochs_missing)
if [ -z "$missing" ]; then
  bochs=bochs
  command bochs --help 2>&1 | sed -n 's/^ *\(Bochs x86 Emulator .*\)/\1/p' | head -n 1
else
  echo "Bochs: $missing" >&2
fi
echo
echo "| work (and times as long as here) | here | interpreter | QEMU TCG | Bochs |"
echo "|---|---|---|---|---|"
row "mixed integer program, a round of 2.85 million instructions" mixed rounds= 20 120 ours interpreter "$qemu" "$bochs"
hypervisor=builtin
row "CPUID: exit, our hypervisor, resume" exits cpuid= 1000 201000 ours interpreter - "$bochs"
row "a refused hypercall: exit, our hypervisor, resume" exits 'cpuid=0 calls=' 1000 201000 ours interpreter - "$bochs"
