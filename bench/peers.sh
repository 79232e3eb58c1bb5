#!/usr/bin/env bash
# Runs the mixed integer image here and on QEMU TCG, and prints seconds per round and their ratio.
# usage: [VITRINE_ENGINE=interpreter] bench/peers.sh BUILD-FOLDER [runs]
# Each figure is the median of several differences between a long and a short run, so that start-up and
# firmware drop out.
set -euo pipefail
build=${1:?the build folder}
runs=${2:-3}
image=$build/images/mixed.elf
short=20
long=120

seconds() { # the user time of a command, in seconds
  local TIMEFORMAT=%U
  { time "$@" >/dev/null 2>&1 || true; } 2>&1
}
ours() { seconds "$build/vitrine" run mixed -q --engine "${VITRINE_ENGINE:-auto}" --serial null --append "rounds=$1"; }
qemu() {
  seconds qemu-system-x86_64 -accel tcg -m 64 -display none -serial null -monitor none -no-reboot \
    -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$image" -append "rounds=$1"
}
median_round() { # median of (long - short) / rounds, for the named runner
  for _ in $(seq "$runs"); do
    a=$("$1" $short)
    b=$("$1" $long)
    awk -v a="$a" -v b="$b" -v n=$((long - short)) 'BEGIN { printf "%.6f\n", (b - a) / n }'
  done | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

here=$(median_round ours)
echo "vitrine:             $here s per round (engine ${VITRINE_ENGINE:-auto})"
if command -v qemu-system-x86_64 >/dev/null; then
  there=$(median_round qemu)
  echo "QEMU TCG:            $there s per round ($(qemu-system-x86_64 --version | head -1))"
  awk -v a="$here" -v b="$there" 'BEGIN { printf "vitrine takes %.1f times as long\n", a / b }'
else
  echo "QEMU TCG:            not installed (package qemu-system-x86)"
fi
