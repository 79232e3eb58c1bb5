# compare.md of works.tsv and compare.tsv. A figure is time per unit here, then how many times as long elsewhere.
BEGIN {
  FS = "\t"
  columns = split("native interpreter qemu icount bochs", column, " ")
  split("this processor|interpreter|QEMU TCG|QEMU -icount|Bochs", title, "|")
}
/^#/ { next }
FNR == NR { name[++works] = $1; what[$1] = $2; wanted[$1] = $3; next }
{ time[$1, $2] = $3 }
function shown(ns) {
  return ns >= 1e9 ? sprintf("%.3g s", ns / 1e9) : ns >= 1e6 ? sprintf("%.3g ms", ns / 1e6) : ns >= 1e3 ? sprintf("%.3g µs", ns / 1e3) : sprintf("%.3g ns", ns)
}
END {
  printf "Time per unit of work, medians of %d runs, %s, %s%s. A factor is how many times as long it takes there.\n\n", runs, date, machine, peers == "" ? "" : "; " peers
  line = "| work | here |"
  rule = "|---|---|"
  for (c = 1; c <= columns; ++c) { line = line " " title[c] " |"; rule = rule "---|" }
  print line " aim |\n" rule "---|"
  for (w = 1; w <= works; ++w) {
    id = name[w]
    here = time["here", id]
    if (here == "") continue
    line = "| " what[id] " | " shown(here) " |"
    for (c = 1; c <= columns; ++c) {
      there = time[column[c], id]
      line = line (there == "" ? " - |" : sprintf(" %s (%.3g ×) |", shown(there), there / here))
    }
    aims = ""
    parts = split(wanted[id], part, " ")
    for (p = 1; p <= parts; ++p) {
      split(part[p], aim, ":")
      there = time[aim[1], id]
      if (there == "") continue
      aims = aims (aims == "" ? "" : ", ") aim[2] " × " aim[1] (there / here >= aim[2] ? " ✓" : " ✗")
    }
    print line " " aims " |"
  }
}
