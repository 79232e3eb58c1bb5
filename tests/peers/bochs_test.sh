#!/usr/bin/env bash
# The hypervisor with each payload that judges it, booted by GRUB on Bochs: the same lines on the serial port as here.
# usage: VITRINE_BUILD=FOLDER tests/peers/bochs_test.sh [payload…]; skips where Bochs, GRUB or Bochs' VMX is missing.
set -u
build=${VITRINE_BUILD:?the build folder}
payloads=("$@")
[ $# -ne 0 ] || payloads=(tour preserve ports slices)
. "$(dirname "${BASH_SOURCE[0]}")/bochs.sh"
skip() { echo "skipped: $1"; exit 77; }

missing=$(bochs_missing)
[ -z "$missing" ] || skip "$missing"
[ -e "$build/images/vitrine-hv.elf" ] || skip "the images are not built"

work=$(mktemp -d) || exit 2
trap 'end_bochs; rm -rf "$work"' EXIT
cd "$work" || exit 2

# boot PAYLOAD: its serial output on Bochs into serial.txt, until it has summed up or a minute is over.
boot() {
  cp "$build/images/$1.elf" payload.elf
  start_bochs $' multiboot2 /vitrine-hv.elf\n module2 /payload.elf' \
    "$build/images/vitrine-hv.elf" payload.elf || return 1
  wait_for_serial '^[A-Z]+ (PASS|FAIL)|hv: stopped' 60
  sleep 0.5 # the rest of the last line
  end_bochs
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
