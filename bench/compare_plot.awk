# compare.svg of works.tsv and compare.tsv: how many times as long each work takes elsewhere, on a logarithmic scale.
BEGIN {
  FS = "\t"
  columns = split("native qemu bochs", column, " ")
  split("this processor|QEMU TCG|Bochs", title, "|")
  split("#2a9d6f|#4477aa|#cc6677", colour, "|")
  left = 390; width = 560; top = 70; step = 24
  low = -2; high = 3  # powers of ten
}
/^#/ { next }
FNR == NR { name[++works] = $1; what[$1] = $2; next }
{ time[$1, $2] = $3 }
function x(factor,    power) {
  power = log(factor) / log(10)
  if (power < low) power = low
  if (power > high) power = high
  return left + (power - low) / (high - low) * width
}
function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); return text }
END {
  for (w = 1; w <= works; ++w) if (time["here", name[w]] != "") row[++rows] = name[w]
  height = top + rows * step + 20
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", height
  print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
  print "<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">How many times as long as here</text>"
  printf "<text x=\"12\" y=\"42\" fill=\"#666666\">%s</text>\n", escaped(machine)
  for (c = 1; c <= columns; ++c) {
    at = left + (c - 1) * 140
    printf "<circle cx=\"%d\" cy=\"20\" r=\"5\" fill=\"%s\"/><text x=\"%d\" y=\"24\">%s</text>\n", at, colour[c], at + 10, title[c]
  }
  for (p = low; p <= high; ++p) {
    at = x(10 ^ p)
    printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\"/>\n", at, top - 8, at, height - 16, p == 0 ? "#333333" : "#dddddd"
    printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#666666\">%g ×</text>\n", at, top - 12, 10 ^ p
  }
  for (r = 1; r <= rows; ++r) {
    y = top + r * step - 8
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 12, y + 4, escaped(what[row[r]])
    printf "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#f0f0f0\"/>\n", left, y, left + width, y
    here = time["here", row[r]]
    for (c = 1; c <= columns; ++c) {
      there = time[column[c], row[r]]
      if (there == "") continue
      printf "<circle cx=\"%.1f\" cy=\"%d\" r=\"5\" fill=\"%s\"><title>%s: %.3g</title></circle>\n", x(there / here), y, colour[c], title[c], there / here
    }
  }
  print "</svg>"
}
