# The three shapes a folder can take: a library, a program, a test; with the warnings and packages they share.
include_guard(GLOBAL)
include(CMakeParseArguments)

set(VITRINE_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror)

# Flags of every hosted target; guest images have their own in roms/.
add_library(vitrine_flags INTERFACE)
target_compile_features(vitrine_flags INTERFACE cxx_std_20)
target_include_directories(vitrine_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(vitrine_flags INTERFACE ${VITRINE_WARNINGS} -ffp-contract=off
                       "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
# g++ 12 sees overlapping copies in std::string and overflows in std::vector::insert that are not there
# (GCC bugs 105329, 105762).
target_compile_options(vitrine_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
if(VITRINE_SANITIZE)
  target_compile_options(vitrine_flags INTERFACE -O1 -fsanitize=${VITRINE_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(vitrine_flags INTERFACE -fsanitize=${VITRINE_SANITIZE})
  # g++ sees uninitialised values in what the sanitizers add; the builds without them keep the warning.
  target_compile_options(vitrine_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

if(VITRINE_FUZZ)
  # The profile tells what was reached in terms of the source: libFuzzer's edges count the sanitizers' own branches.
  target_compile_options(vitrine_flags INTERFACE -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(vitrine_flags INTERFACE -fprofile-instr-generate)
endif()

# Third-party libraries: each that is found becomes vitrine::NAME, and only its users need it. CMake's package files
# and pkg-config are asked in turn, so that an unpacked sysroot serves as well as an installed package.
find_package(PkgConfig QUIET)
function(vitrine_find name config target pkg)
  if(config)
    find_package(${config} CONFIG QUIET)
  endif()
  if(config AND TARGET ${target})
    set(found ${target})
    set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  elseif(pkg AND PKG_CONFIG_FOUND)
    pkg_check_modules(VITRINE_${name} QUIET IMPORTED_TARGET GLOBAL ${pkg})
    set(found PkgConfig::VITRINE_${name})
  endif()
  if(NOT TARGET "${found}")
    message(STATUS "${name}: not found")
    return()
  endif()
  add_library(vitrine_${name} INTERFACE)
  target_link_libraries(vitrine_${name} INTERFACE ${found})
  add_library(vitrine::${name} ALIAS vitrine_${name})
endfunction()
vitrine_find(zydis zydis Zydis::Zydis "")
vitrine_find(capstone "" "" capstone)
vitrine_find(catch2 Catch2 Catch2::Catch2 catch2)
vitrine_find(benchmark benchmark benchmark::benchmark benchmark)
vitrine_find(cli11 CLI11 CLI11::CLI11 CLI11)
vitrine_find(json nlohmann_json nlohmann_json::nlohmann_json nlohmann_json)
vitrine_find(dw "" "" libdw)
vitrine_find(nettle "" "" nettle)
vitrine_find(asmjit asmjit asmjit::asmjit "")

# vitrine_library(NAME SOURCES files… [LINKS targets…] [FREESTANDING])
# A static library, or an interface when it holds headers only. FREESTANDING parts run in guest images too.
function(vitrine_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FREESTANDING" "" "SOURCES;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "vitrine_library(${name}): unexpected ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(code ${arg_SOURCES})
  list(FILTER code INCLUDE REGEX "\\.(cpp|S)$")
  if(code)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC vitrine_flags ${arg_LINKS})
    if(arg_FREESTANDING)
      target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE vitrine_flags ${arg_LINKS})
  endif()
endfunction()

# vitrine_program(NAME SOURCES files… [LINKS targets…]): an executable in the top of the build folder.
function(vitrine_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE vitrine_flags ${arg_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()

# vitrine_test(NAME SUITE suite SOURCES files… [LINKS targets…] [LABELS labels…])
# A Catch2 program. `./check SUITE` runs exactly the tests of that suite. LABELS: `slow` keeps a test out of
# `./check quick` and of the second compiler, `nosan` keeps it out of the sanitizer build.
function(vitrine_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SUITE" "SOURCES;LINKS;LABELS")
  if(NOT arg_SUITE OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "vitrine_test(${name}): needs SUITE; unexpected ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT VITRINE_TESTS)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES} $<TARGET_OBJECTS:vitrine_test_main>)
  target_link_libraries(${name} PRIVATE vitrine_flags vitrine::catch2 ${arg_LINKS})
  vitrine_check(${name} SUITE ${arg_SUITE} COMMAND ${name} TARGETS ${name} LABELS ${arg_LABELS})
endfunction()

# vitrine_check(NAME SUITE suite COMMAND command… [TARGETS targets…] [LABELS labels…])
# Any other command as a test: exit code 0 passes, 77 skips; TARGETS are built before it runs.
function(vitrine_check name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SUITE" "COMMAND;TARGETS;LABELS")
  if(NOT arg_SUITE OR NOT arg_COMMAND OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "vitrine_check(${name}): needs SUITE and COMMAND")
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS "${arg_SUITE};${arg_LABELS}" SKIP_RETURN_CODE 77
                       ENVIRONMENT "VITRINE_BUILD=${CMAKE_BINARY_DIR}")
  string(REPLACE ";" "," labels "${arg_LABELS}")
  string(REPLACE ";" "," targets "${arg_TARGETS}")
  # What ./check reads: test, suite, labels, targets.
  set_property(GLOBAL APPEND_STRING PROPERTY VITRINE_SUITES
               "${name}|${arg_SUITE}|${labels}|${targets}\n")
endfunction()

# vitrine_fuzz(NAME SOURCES files… [LINKS targets…] [COVERS files…]): a libFuzzer program with its seeds in
# tests/fuzz/corpus/NAME. In the fuzz build it runs for VITRINE_FUZZ_SECONDS under the suite `fuzz`, and then names
# how much of COVERS was reached; in every other build it runs the seeds once, under the suite `corpus`.
function(vitrine_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;COVERS")
  set(corpus "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  if(NOT VITRINE_FUZZ)
    add_executable(${name} ${arg_SOURCES} $<TARGET_OBJECTS:fuzz_replay>)
    target_link_libraries(${name} PRIVATE vitrine_flags ${arg_LINKS})
    vitrine_check(${name} SUITE corpus TARGETS ${name} COMMAND ${name} "${corpus}")
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE vitrine_flags ${arg_LINKS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  vitrine_check(${name} SUITE fuzz TARGETS ${name}
                COMMAND bash "${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz.sh" $<TARGET_FILE:${name}>
                        ${VITRINE_FUZZ_SECONDS} "${corpus}" ${arg_COVERS})
endfunction()
