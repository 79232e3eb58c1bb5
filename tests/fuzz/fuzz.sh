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

# Branches of the covered sources that all inputs together take either way. What calls itself llvm-cov without a version
# serves as well.
tool() { command -v "$1-14" || command -v "$1"; }
if [ $# -gt 0 ]; then
  rm -f "$program.profraw"
  LLVM_PROFILE_FILE=$program.profraw "$program" -runs=0 "$found" "$corpus" >/dev/null 2>&1 &&
    "$(tool llvm-profdata)" merge -sparse "$program.profraw" -o "$program.profdata" &&
    reached=$("$(tool llvm-cov)" report "$program" -instr-profile="$program.profdata" 2>/dev/null | awk -v wanted="$*" '
      BEGIN { n = split(wanted, file, " ") }
      {
        for (i = 1; i <= n; ++i) if (index($1, file[i])) {
          regions += $2; missed += $3; branches += $11; untaken += $12
          break
        }
      }
      END {
        if (regions + branches == 0) exit 1
        printf "%d/%d regions (%d %%), %d/%d branches (%d %%)", regions - missed, regions,
               100 * (regions - missed) / regions, branches - untaken, branches, 100 * (branches - untaken) / branches
      }') || { echo "$name: no coverage can be told"; exit 1; }
  note="$note; of $* $reached"
fi
printf 'vitrine-note: %s\n' "$note"
