#!/usr/bin/env bash
# run and check look before they install, and take the way that fits the machine; all machines here are made of fakes.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

# machine NAME COMMANDS…: a fresh machine whose only programs are the usual small ones and those named.
machine() {
  here=$scratch/$1
  bin=$here/bin
  log=$here/log
  mkdir -p "$bin" "$here/tree/cmake"
  cp "$root/cmake/packages.sh" "$here/tree/cmake/"
  : >"$log"
  local program
  for program in bash sh env true sort cat cp mkdir rm ln find sed awk grep tr touch tar dpkg-deb dirname tail; do
    ln -s "$(type -P $program)" "$bin/$program"
  done
  shift
  for program in "$@"; do fake "$program" 'exit 0'; done
  fake id 'echo 1000'
}

# fake PROGRAM SCRIPT: a program that notes its call and does what the script says.
fake() {
  rm -f "$bin/$1"
  printf '#!/bin/bash\necho "%s $*" >>"%s"\n%s\n' "$1" "$log" "$2" >"$bin/$1"
  chmod +x "$bin/$1"
}

everything='cmake ninja pkg-config g++ clang++-14 ld.lld-14'

# A fake g++ that knows every header but the one given.
compiler_without() { fake g++ "! grep -q '$1'"; }

# ensure: what run does first, on that machine; its words go to a file, CMake's arguments to another.
ensure() {
  PATH=$bin VCPKG_ROOT=${vcpkg:-} bash -c '
    vitrine_root=$1
    . "$vitrine_root/cmake/packages.sh"
    packages_ensure run
    printf "%s\n" "${vitrine_cmake_arguments[@]}" >"$vitrine_root/arguments"
  ' - "$here/tree" >"$here/out" 2>"$here/err"
  status=$?
}

expect() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$what"
    sed 's/^/  said: /' "$here/err"
    sed 's/^/  ran:  /' "$log" | tail -n 20
  fi
}
ran() { grep -q "^$1" "$log"; }
not_ran() { ! ran "$1"; }
times_ran() { [ "$(grep -c "^$1" "$log")" = "$2" ]; }
said() { [ "$(cat "$here/err")" = "$1" ]; }
told_cmake() { grep -q -- "$1" "$here/tree/arguments"; }

# shellcheck disable=SC2086 # one word per program
{
  machine complete $everything apt-get sudo
  ensure
  expect 'all there: succeeds' [ $status = 0 ]
  expect 'all there: no apt' not_ran apt-get
  expect 'all there: no sudo' not_ran sudo
  expect 'all there: says nothing' said ''

  machine nothing_helps cmake pkg-config g++ clang++-14
  ensure
  expect 'no apt, no vcpkg: exit code 2' [ $status = 2 ]
  expect 'no apt, no vcpkg: one sentence that names what is missing' \
    said 'vitrine: these packages are missing and could not be fetched: ninja-build lld-14.'

  machine one_header $everything
  compiler_without elfutils/libdw.h
  ensure
  expect 'a missing library is named' \
    said 'vitrine: these packages are missing and could not be fetched: libdw-dev.'

  machine as_root cmake pkg-config g++ clang++-14 ld.lld-14
  fake id 'echo 0'
  fake apt-get "case \"\$*\" in *-y*install*) printf '#!/bin/sh\n' >'$bin/ninja'; $(command -v chmod) +x '$bin/ninja' ;; esac"
  ensure
  expect 'root: apt installs' [ $status = 0 ]
  expect 'root: one update' times_ran 'apt-get .*update' 1
  expect 'root: one install, of what is missing alone' ran 'apt-get .* install ninja-build$'
  expect 'root: one install' times_ran 'apt-get .*install' 1
  expect 'root: without questions' grep -q DEBIAN_FRONTEND=noninteractive "$here/tree/cmake/packages.sh"

  machine with_sudo cmake pkg-config g++ clang++-14 ld.lld-14
  fake sudo 'shift; exec "$@"'
  fake apt-get "case \"\$*\" in *-y*install*) printf '#!/bin/sh\n' >'$bin/ninja'; $(command -v chmod) +x '$bin/ninja' ;; esac"
  ensure
  expect 'sudo without password: apt installs' [ $status = 0 ]
  expect 'sudo without password: never asks' not_ran 'sudo [^-]'
  expect 'sudo without password: through sudo' ran 'sudo -n env'

  # Without root: a package that holds ninja is downloaded, unpacked under build/sysroot and found there.
  machine unprivileged cmake pkg-config g++ clang++-14 ld.lld-14
  mkdir -p "$here/package/DEBIAN" "$here/package/usr/bin"
  printf 'Package: ninja-build\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: none\n' \
    >"$here/package/DEBIAN/control"
  printf '#!/bin/sh\n' >"$here/package/usr/bin/ninja"
  chmod +x "$here/package/usr/bin/ninja"
  dpkg-deb --build --root-owner-group "$here/package" "$here/ninja.deb" >/dev/null
  fake sudo 'exit 1'
  fake apt-get "case \"\$*\" in
    *-s\ install*) echo 'Inst ninja-build (1 fake [all])' ;;
    *download*) cp '$here/ninja.deb' . ;;
    esac"
  ensure
  expect 'no root: unpacks' [ $status = 0 ]
  expect 'no root: into build/sysroot' [ -x "$here/tree/build/sysroot/usr/bin/ninja" ]
  expect 'no root: CMake is pointed there' told_cmake "CMAKE_PREFIX_PATH=$here/tree/build/sysroot/usr"
  expect 'no root: nothing is installed' not_ran 'apt-get .*-y.* install'
  : >"$log"
  ensure
  expect 'no root, the second time: succeeds' [ $status = 0 ]
  expect 'no root, the second time: no apt' not_ran apt-get

  machine offline cmake pkg-config g++ clang++-14 ld.lld-14
  fake apt-get 'exit 100'
  ensure
  expect 'apt without network: exit code 2' [ $status = 2 ]
  expect 'apt without network: the last line names what is missing' \
    grep -q 'missing and could not be fetched: ninja-build.$' "$here/err"

  machine with_vcpkg $everything
  compiler_without Zydis/Zydis.h
  mkdir -p "$here/vcpkg/scripts/buildsystems"
  : >"$here/vcpkg/scripts/buildsystems/vcpkg.cmake"
  vcpkg=$here/vcpkg ensure
  expect 'no apt, vcpkg: succeeds' [ $status = 0 ]
  expect 'no apt, vcpkg: CMake uses it' told_cmake "CMAKE_TOOLCHAIN_FILE=$here/vcpkg/scripts/buildsystems/vcpkg.cmake"

  machine vcpkg_without_tools cmake pkg-config g++ clang++-14 ld.lld-14
  mkdir -p "$here/vcpkg/scripts/buildsystems"
  : >"$here/vcpkg/scripts/buildsystems/vcpkg.cmake"
  vcpkg=$here/vcpkg ensure
  expect 'vcpkg brings libraries, not tools' [ $status = 2 ]

  machine no_window $everything
  mkdir -p "$here/tree/frontend/gui"
  : >"$here/tree/frontend/gui/CMakeLists.txt"
  compiler_without SDL2/SDL.h
  ensure
  expect 'no SDL: not fatal' [ $status = 0 ]
  expect 'no SDL: the window is off' told_cmake VITRINE_GUI=OFF
  expect 'no SDL: reported' grep -q 'the window is not built, libsdl2-dev' "$here/err"
}

printf 'vitrine-cases: %d passed, %d failed, 0 skipped\n' $passed $failed
[ $failed = 0 ]
