#!/usr/bin/env bash
# The images are the same bytes wherever they are built, and the bytes that roms/images.sha256 names.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
skip() { echo "skipped: $1"; exit 77; }

command -v clang++-14 > /dev/null || command -v clang++ > /dev/null || skip "clang++ is not installed"
command -v ld.lld-14 > /dev/null || command -v ld.lld > /dev/null || skip "ld.lld is not installed"

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
for place in one another/and/deeper; do
  mkdir -p "$work/$place"
  tar -C "$root" -cf - roms hv emu/arch | tar -C "$work/$place" -xf -
  cmake -S "$work/$place/roms" -B "$work/$place/build" > "$work/log" 2>&1 &&
    cmake --build "$work/$place/build" --parallel 2 >> "$work/log" 2>&1 ||
    { cat "$work/log"; echo "the images do not build in a folder of their own"; exit 1; }
done

failed=0
for image in "$work"/one/build/images/*.elf; do
  name=$(basename "$image")
  if ! cmp "$image" "$work/another/and/deeper/build/images/$name"; then
    echo "$name: differs between two folders"
    failed=1
  fi
  if grep -aqF "$work" "$image"; then
    echo "$name: contains the name of the build folder"
    failed=1
  fi
done

# Another compiler than the named one makes other bytes, which is no defect of the images.
compiler=$(sed -n 's/^# compiler: //p' "$root/roms/images.sha256")
here=$("$(command -v clang++-14 || command -v clang++)" --version | head -n 1)
if [ "$compiler" = "$here" ]; then
  (cd "$work/one/build/images" && grep -v '^#' "$root/roms/images.sha256" | sha256sum --check --quiet) || {
    echo "images.sha256 does not name these bytes: after a wanted change, run the target images_sha256"
    failed=1
  }
  for image in "$work"/one/build/images/*.elf; do
    grep -q "  $(basename "$image")\$" "$root/roms/images.sha256" ||
      { echo "$(basename "$image"): not in images.sha256"; failed=1; }
  done
else
  echo "the compiler here is '$here', images.sha256 was made with '$compiler': sums not compared"
fi
exit $failed
