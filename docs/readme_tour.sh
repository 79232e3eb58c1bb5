#!/bin/sh
# readme_tour.sh VITRINE SOURCE: runs the tour and writes its picture and its state hash into the source tree.
set -eu
line=$("$1" run tour --svg "$2/docs/tour.svg" | grep -A 1 '^guest exit at cycle')
cycle=$(echo "$line" | sed -n 's/^guest exit at cycle \([0-9,]*\),.*/\1/p')
hash=$(echo "$line" | sed -n 's/^state_hash //p')
sed -i "s/cycle [0-9,]* with \`state_hash 0x[0-9a-f]*\`/cycle $cycle with \`state_hash $hash\`/" "$2/README.md"
