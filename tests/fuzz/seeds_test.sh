#!/usr/bin/env bash
# The committed seeds are what the program seeds writes: seeds_test.sh PROGRAM CORPUS.
set -eu
program=$1 corpus=$2
written=$(mktemp -d)
trap 'rm -rf "$written"' EXIT
"$program" "$written"
diff -r "$written" "$corpus"
