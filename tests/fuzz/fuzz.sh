#!/usr/bin/env bash
# Runs one fuzz target for a time and reports: fuzz.sh PROGRAM SECONDS CORPUS [covered files…].
# What it finds stays beside the program: PROGRAM.found/ keeps inputs that reach new edges, PROGRAM.failures/ those
# that fail.
set -u
program=$1 seconds=$2 corpus=$3
shift 3
found=$program.found failures=$program.failures
mkdir -p "$found" "$failures"
name=${program##*/}

if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$failures/" "$found" "$corpus" >"$program.log" 2>&1; then
  tail -n 60 "$program.log"
  exit 1
fi
runs=$(awk '$1 == "stat::number_of_executed_units:" { print $2 }' "$program.log")
note="$name: $runs executions in $seconds s"

# Edges reached, file by file, as libFuzzer counts them in what was built with its instrumentation.
if [ $# -gt 0 ]; then
  edges=$("$program" -runs=0 -print_coverage=1 "$found" "$corpus" 2>&1 | awk -v wanted="$*" '
    BEGIN { n = split(wanted, file, " ") }
    /COVERED_FUNC:/ {
      split($0, part, "edges: "); split(part[2], count, /[\/ ]/)
      for (i = 1; i <= n; ++i) if (index($0, file[i])) { reached += count[1]; all += count[2] }
    }
    END { printf "%d/%d", reached, all }')
  note="$note, edges of $* ${edges}"
  if [ "${edges#*/}" -gt 0 ]; then note="$note ($((100 * ${edges%/*} / ${edges#*/})) %)"; fi
fi
printf 'vitrine-note: %s\n' "$note"
