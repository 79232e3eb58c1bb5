# Joins the selected tests, what CTest said of each, and the counts that the programs printed, for ./check.
# Input files in order: lines of suites.txt, CTest's output, CTest's log of the programs' output.
FNR == 1 { ++file }
file == 1 { suite[$1] = $2; order[++tests] = $1; next }
file == 2 {
  if (!match($0, /Test +#[0-9]+: /)) next
  text = substr($0, RSTART + RLENGTH)
  name = text; sub(/ .*/, "", name)
  good[name] = text ~ /   Passed /
  skip_all[name] = text ~ /\*\*\*Skipped /
  time[name] = text; sub(/ sec.*/, "", time[name]); sub(/.* /, "", time[name])
  next
}
/^[0-9]+\/[0-9]+ Testing: / { current = $0; sub(/^[^:]*: /, "", current); next }
/^vitrine-cases: / { cases[current] = $0; skip_text[current] = pending[current]; pending[current] = ""; next }
/^vitrine-note: / { print "note " substr($0, 15); next }
/^vitrine-skip: / { pending[current] = pending[current] substr($0, 15) "\n"; next }
END {
  for (i = 1; i <= tests; ++i) {
    name = order[i]
    passed = failed = skipped = 0
    if (split(cases[name], word, " ") >= 7) { passed = word[2]; failed = word[4]; skipped = word[6] }
    else if (skip_all[name]) skipped = 1
    else if (good[name]) passed = 1
    # A skip has a reason, from the list in tests/skip.h.
    count = split(skip_text[name] pending[name], line, "\n") - 1
    for (j = 1; j <= count; ++j)
      if (line[j] !~ /: (no x86-64 host|file absent|no network)( \(.*\))?$/) { --skipped; ++failed }
    if (skip_all[name] && count < 1) { skipped = 0; failed = 1 }
    # A program that died, ran out of time or was not built failed, whatever it managed to print.
    if (!good[name] && !skip_all[name] && failed == 0) failed = 1
    printf "row %s|%s|%s|%d|%d|%d|%s\n", stage, suite[name], name, passed, failed, skipped, time[name] + 0
    if (failed > 0) printf "failure %s|%s\n", stage, name
    for (j = 1; j <= count; ++j) printf "skip %s: %s\n", suite[name], line[j]
  }
}
