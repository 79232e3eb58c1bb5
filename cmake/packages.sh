# Sourced by run and check: looks for the tools and libraries a build needs, and fetches what is missing.
# shellcheck shell=bash

# One row per package: name, kind of evidence, evidence. A package is present when its evidence is found, whoever
# installed it; only then is no installer called.
#   command: any of these programs   header: a C++ header   clang-file: a file in clang's resource folder
packages_for_run='
cmake               command     cmake
ninja-build         command     ninja
pkg-config          command     pkg-config
g++                 command     g++
clang-14            command     clang++-14,clang++
lld-14              command     ld.lld-14,ld.lld
libzycore-dev       header      Zycore/Zycore.h
libzydis-dev        header      Zydis/Zydis.h
libcapstone-dev     header      capstone/capstone.h
libcli11-dev        header      CLI/CLI.hpp
nlohmann-json3-dev  header      nlohmann/json.hpp
libasmjit-dev       header      asmjit/asmjit.h
libdw-dev           header      elfutils/libdw.h
nettle-dev          header      nettle/sha2.h
'
packages_for_check="$packages_for_run"'
catch2              header      catch2/catch.hpp
libclang-rt-14-dev  clang-file  lib/linux/libclang_rt.fuzzer-*.a
llvm-14             command     llvm-cov-14,llvm-cov
'
# Wanted for the window alone: without them everything else is built.
packages_for_window='
libsdl2-dev         header      SDL2/SDL.h
libimgui-dev        header      imgui/imgui.h,imgui.h
'

# What the build is told in consequence of what was found.
vitrine_cmake_arguments=()

say() { printf 'vitrine: %s\n' "$*" >&2; }

have_header() {
  local header
  for header in ${1//,/ }; do
    printf '#include <%s>\n' "$header" | g++ -x c++ -E "${sysroot_flags[@]}" - >/dev/null 2>&1 && return 0
  done
  return 1
}

have_command() {
  local name
  for name in ${1//,/ }; do command -v "$name" >/dev/null 2>&1 && return 0; done
  return 1
}

have_clang_file() {
  local folder
  folder=$(clang++-14 -print-resource-dir 2>/dev/null || clang++ -print-resource-dir 2>/dev/null) || return 1
  compgen -G "$folder/$1" >/dev/null
}

# Prints the packages of the given table whose evidence is not found.
missing_packages() {
  local package kind evidence
  while read -r package kind evidence; do
    case $kind in
      command) have_command "$evidence" || printf '%s\n' "$package" ;;
      header) have_header "$evidence" || printf '%s\n' "$package" ;;
      clang-file) have_clang_file "$evidence" || printf '%s\n' "$package" ;;
    esac
  done <<<"$1"
}

# apt, as root or through a sudo that asks for no password. Its words go to build/apt.log.
apt_as_root() {
  local log=$vitrine_root/build/apt.log sudo=()
  if [ "$(id -u)" != 0 ]; then
    { command -v sudo && sudo -n true; } >/dev/null 2>&1 || return 1
    sudo=(sudo -n)
  fi
  say "installing $*"
  mkdir -p "$vitrine_root/build" || return 1
  {
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 install "$@"
  } >"$log" 2>&1 && return 0
  tail -n 5 "$log" >&2
  return 1
}

# apt without root: the packages and what they depend on are downloaded and unpacked into build/sysroot.
apt_into_sysroot() {
  local state=$vitrine_root/build/apt status=() packages package
  command -v dpkg-deb >/dev/null 2>&1 || return 1
  say "unpacking into build/sysroot (no root here): $*"
  mkdir -p "$state/lists/partial" "$state/archives/partial" || return 1
  if ! have_command g++; then
    # A compiler brings its own C library, or it would mix two: resolve as on an empty system.
    : >"$state/status"
    status=(-o Dir::State::status="$state/status")
  fi
  local apt=(apt-get -qq -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state"
             -o Dir::Cache::Archives="$state/archives" -o Debug::NoLocking=1
             -o APT::Install-Recommends=0 "${status[@]}")
  "${apt[@]}" update >&2 || return 1
  packages=$("${apt[@]}" -s install "$@" | awk '$1 == "Inst" {print $2}') || return 1
  [ -n "$packages" ] || return 1
  # clang finds its runtime beside itself only.
  case " $* " in *' libclang-rt-14-dev '*) packages+=' clang-14 libclang-common-14-dev' ;; esac
  packages=$(tr ' ' '\n' <<<"$packages" | sort -u)
  # shellcheck disable=SC2086 # one word per package
  (cd "$state/archives" && "${apt[@]}" download $packages >&2) || return 1
  mkdir -p "$sysroot/usr/lib" "$sysroot/usr/lib64" "$sysroot/usr/bin" "$sysroot/usr/sbin"
  for package in lib lib64 bin sbin; do ln -sfn "usr/$package" "$sysroot/$package"; done
  for package in "$state"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
      tar -x -C "$sysroot" --keep-directory-symlink --no-same-owner || return 1
    rm -f "$package"
  done
  [ ${#status[@]} = 0 ] || touch "$sysroot/complete"
  finish_sysroot
}

# Makes an unpacked tree usable where it lies: pkg-config files name it, and the loader finds its libraries, but only
# those that the host itself lacks.
finish_sysroot() {
  local file name
  find "$sysroot/usr" -name '*.pc' -exec sed -i -E "s#(=|-[IL])/usr#\1$sysroot/usr#g" {} +
  mkdir -p "$sysroot/runtime"
  for file in "$sysroot"/usr/lib/{*-linux-gnu,llvm-*/lib}/*.{so,so.*}; do
    name=${file##*/}
    [ -e "$file" ] || continue
    compgen -G "/lib/*-linux-gnu/$name" >/dev/null || compgen -G "/usr/lib/*-linux-gnu/$name" >/dev/null ||
      ln -sfn "$file" "$sysroot/runtime/$name"
  done
}

# Points the shell, pkg-config, the compilers and CMake at build/sysroot.
use_sysroot() {
  [ -d "$sysroot/usr" ] || return 0
  # The images' debug lines name the compiler's headers as if they were installed, so that their bytes stay the same.
  local folder flags image_flags="-ffile-prefix-map=$sysroot/usr/=toolchain/"
  export PATH="$sysroot/usr/bin:$PATH"
  export LD_LIBRARY_PATH="$sysroot/runtime${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  for folder in "$sysroot"/usr/lib/*-linux-gnu/pkgconfig "$sysroot/usr/lib/pkgconfig" "$sysroot/usr/share/pkgconfig"; do
    PKG_CONFIG_PATH="$folder${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  done
  export PKG_CONFIG_PATH
  if [ -e "$sysroot/complete" ]; then
    sysroot_flags=("--sysroot=$sysroot")
    image_flags="--sysroot=$sysroot;$image_flags"
  else
    sysroot_flags=(-isystem "$sysroot/usr/include")
    for folder in "$sysroot"/usr/include/*-linux-gnu; do
      [ -d "$folder" ] && sysroot_flags+=(-isystem "$folder")
    done
  fi
  flags="${sysroot_flags[*]}"
  vitrine_cmake_arguments+=("-DCMAKE_PREFIX_PATH=$sysroot/usr" "-DCMAKE_CXX_FLAGS=$flags"
    "-DVITRINE_IMAGE_STD_FLAGS=$image_flags")
  for folder in "$sysroot"/usr/lib/*-linux-gnu; do
    [ -d "$folder" ] && vitrine_cmake_arguments+=("-DCMAKE_EXE_LINKER_FLAGS=-L$folder -Wl,-rpath-link,$folder")
  done
}

# packages_ensure run|check: returns when everything is there, else explains in one sentence and exits with 2.
packages_ensure() {
  local table=packages_for_$1 missing
  sysroot=$vitrine_root/build/sysroot
  sysroot_flags=()
  use_sysroot
  missing=$(missing_packages "${!table}")
  if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # one word per package
    if ! apt_as_root $missing && apt_into_sysroot $missing; then
      use_sysroot
    fi
    hash -r
    missing=$(missing_packages "${!table}")
  fi
  if [ -n "$missing" ] && [ -n "${VCPKG_ROOT:-}" ] && [ -f "$VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake" ]; then
    vitrine_cmake_arguments+=("-DCMAKE_TOOLCHAIN_FILE=$VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake")
    # vcpkg has the libraries, not the tools.
    missing=$(missing_packages "$(grep -v ' header ' <<<"${!table}")")
  fi
  if [ -n "$missing" ]; then
    say "these packages are missing and could not be fetched: $(tr '\n' ' ' <<<"$missing" | sed 's/ $//')."
    exit 2
  fi
  window_ensure
  use_ccache
}

# The window is built when its libraries can be had, and only reported when not.
window_ensure() {
  local missing
  [ -f "$vitrine_root/frontend/gui/CMakeLists.txt" ] || return 0
  missing=$(missing_packages "$packages_for_window")
  if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1 && [ ! -e "$vitrine_root/build/no-window" ]; then
    # shellcheck disable=SC2086 # one word per package
    if ! apt_as_root $missing && apt_into_sysroot $missing; then use_sysroot; fi
    missing=$(missing_packages "$packages_for_window")
    [ -z "$missing" ] || { mkdir -p "$vitrine_root/build" && touch "$vitrine_root/build/no-window"; }
  fi
  if [ -n "$missing" ]; then
    say "the window is not built, $(tr '\n' ' ' <<<"$missing")cannot be had here; everything else works."
    vitrine_cmake_arguments+=(-DVITRINE_GUI=OFF)
  else
    vitrine_cmake_arguments+=(-DVITRINE_GUI=ON)
  fi
}

use_ccache() {
  command -v ccache >/dev/null 2>&1 || return 0
  vitrine_cmake_arguments+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # An account without a home keeps the cache in the build folder.
  if [ -z "${CCACHE_DIR:-}" ] && [ ! -w "${HOME:-/nonexistent}" ]; then
    export CCACHE_DIR="$vitrine_root/build/ccache"
  fi
}

# configure FOLDER ARGUMENTS…: CMake, only when something it was told or read has changed; its words when it fails.
configure() {
  local folder=$1 wanted newer
  shift
  wanted="$* ${vitrine_cmake_arguments[*]} $PATH"
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/.configured" 2>/dev/null)" = "$wanted" ]; then
    newer=$(find "$vitrine_root" \( -path "$vitrine_root/build*" -o -name .git \) -prune -o \
      \( -name CMakeLists.txt -o -name '*.cmake' \) -newer "$folder/.configured" -print -quit)
    [ -n "$newer" ] || return 0
  fi
  mkdir -p "$folder" || return 1
  if ! cmake -S "$vitrine_root" -B "$folder" -G Ninja "${vitrine_cmake_arguments[@]}" "$@" \
      >"$folder/configure.log" 2>&1; then
    tail -n 40 "$folder/configure.log" >&2
    say "CMake could not configure $folder; the whole log is $folder/configure.log."
    return 1
  fi
  printf '%s' "$wanted" >"$folder/.configured"
}

# build FOLDER TARGETS…: Ninja with a moving line on a terminal, silent otherwise; the compiler's words when it fails.
build() {
  local folder=$1 log=$1/build.log line status
  shift
  if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    ninja -C "$folder" "$@" 2>&1 | tee "$log" | while IFS= read -r line; do
      case $line in '['*) printf '\r\033[K%.100s' "$line" >&2 ;; esac
    done
    status=${PIPESTATUS[0]}
    printf '\r\033[K' >&2
  else
    ninja -C "$folder" "$@" >"$log" 2>&1
    status=$?
  fi
  [ "$status" = 0 ] && return 0
  grep -v '^\[' "$log" | head -n 60 >&2
  say "the build in $folder failed; the whole log is $log."
  return 1
}
