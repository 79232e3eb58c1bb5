#!/usr/bin/env bash
# run and check from end to end, as an account without root and without a home, on a small tree of their own.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
passed=0 failed=0

# The tree: the real commands and build files around a program that prints its arguments, and two test programs.
tree=$scratch/tree
mkdir -p "$tree/frontend" "$tree/tests/frontend" "$tree/tests/guest"
cp -r "$root/run" "$root/check" "$root/cmake" "$root/CMakeLists.txt" "$tree/"
cp "$root"/tests/{CMakeLists.txt,main.cpp,skip.h} "$tree/tests/"
# Where the packages had to be unpacked, they are not fetched a second time.
mkdir -p "$tree/build"
[ ! -d "$root/build/sysroot" ] || ln -s "$root/build/sysroot" "$tree/build/sysroot"
cat >"$tree/frontend/CMakeLists.txt" <<'END'
vitrine_program(vitrine SOURCES main.cpp)
END
cat >"$tree/frontend/main.cpp" <<'END'
// Prints its arguments and returns their number.
#include <cstdio>
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) std::printf("<%s>", argv[i]);
  return argc;
}
END
cat >"$tree/tests/frontend/CMakeLists.txt" <<'END'
vitrine_test(frontend_test SUITE frontend SOURCES frontend_test.cpp)
END
cat >"$tree/tests/frontend/frontend_test.cpp" <<'END'
// Three cases: one passes, one skips, one passes unless a file says otherwise.
#include <catch2/catch.hpp>
#include <fstream>
#include "tests/skip.h"
TEST_CASE("passes") { CHECK(true); }
TEST_CASE("skips") { vitrine::test::skip(vitrine::test::SkipReason::file_absent, "moon"); }
TEST_CASE("depends") { CHECK_FALSE(std::ifstream("break-it").good()); }
END
cat >"$tree/tests/guest/CMakeLists.txt" <<'END'
vitrine_check(guest_test SUITE guest COMMAND vitrine one TARGETS vitrine)
set_tests_properties(guest_test PROPERTIES PASS_REGULAR_EXPRESSION "<one>")
END

as_user=()
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chown -R 65534:65534 "$tree"
  as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi

# in_tree COMMAND…: the command as that account; its words go to out and err.
in_tree() {
  (cd "$scratch" && env -u CCACHE_DIR HOME=/nonexistent "${as_user[@]}" "$@") \
    >"$scratch/out" 2>"$scratch/err"
  status=$?
}

expect() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s (exit code %d)\n' "$what" $status
    sed 's/^/  out: /' "$scratch/out" | tail -n 40
    sed 's/^/  err: /' "$scratch/err" | tail -n 40
  fi
}
printed() { [ "$(cat "$scratch/out")" = "$1" ]; }
last_line() { [ "$(tail -n 1 "$scratch/out")" = "$1" ]; }

in_tree "$tree/run"
expect 'run without arguments runs the tour' printed '<run><tour>'
expect 'run returns what vitrine returns' [ $status = 3 ]
in_tree "$tree/run" image.elf 'two words'
expect 'run passes its arguments on unchanged' printed '<run><image.elf><two words>'
expect 'run says nothing when there is nothing to build' [ ! -s "$scratch/err" ]
expect 'run builds no tests' [ ! -e "$tree/build/tests" ]

in_tree "$tree/check" quick
expect 'check quick succeeds' [ $status = 0 ]
expect 'check quick runs the unit suites' last_line '2 passed, 0 failed, 1 skipped'
expect 'check quick shows the suite' grep -q '^frontend  *release  *2 ' "$scratch/out"
expect 'check quick gives the reason of a skip' grep -q 'skips: file absent (moon)' "$scratch/out"

in_tree "$tree/check" guest
expect 'check NAME runs one suite' last_line '1 passed, 0 failed, 0 skipped'
in_tree "$tree/check" nonsense
expect 'check refuses an unknown suite' [ $status = 2 ]
expect 'check names the suites there are' grep -q "no suite 'nonsense'; there are: frontend guest" "$scratch/err"

touch "$tree/break-it"
in_tree "$tree/check" frontend
expect 'check fails when a case fails' [ $status = 1 ]
expect 'check counts the failure' last_line '1 passed, 1 failed, 1 skipped'
expect 'check shows the failure' grep -q 'break-it' "$scratch/out"
rm "$tree/break-it"

printf '#error broken\n' >>"$tree/frontend/main.cpp"
in_tree "$tree/run"
expect 'run with a broken source ends with 2' [ $status = 2 ]
expect 'run shows the error of the compiler' grep -q 'error: #error broken' "$scratch/err"
in_tree "$tree/check" guest
expect 'check with a broken source fails' [ $status = 1 ]
expect 'check counts the broken build' last_line '0 passed, 1 failed, 0 skipped'

printf 'vitrine-cases: %d passed, %d failed, 0 skipped\n' $passed $failed
[ $failed = 0 ]
