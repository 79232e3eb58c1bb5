# How Vitrine builds the images that run inside the machine: clang and lld only, fixed flags, no paths, no dates.

# The images are no part of the emulator's build: they are freestanding ELF64 programs, and their bytes must not depend
# on the host, the build folder or the compiler chosen for the emulator. Hence no CMake language, just commands.
find_program(VITRINE_IMAGE_CXX NAMES clang++-14 clang++ DOC "Compiler of the images")
find_program(VITRINE_IMAGE_LD NAMES ld.lld-14 ld.lld DOC "Linker of the images")

get_filename_component(VITRINE_IMAGE_ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
set(VITRINE_IMAGE_OUTPUT "${CMAKE_BINARY_DIR}/images" CACHE PATH "Where the images are put")

set(VITRINE_IMAGE_FLAGS
  --target=x86_64-linux-gnu -std=c++20 -O2 -gline-tables-only -gdwarf-4
  -fno-exceptions -fno-rtti -fno-stack-protector -fno-asynchronous-unwind-tables
  -fno-threadsafe-statics -fno-omit-frame-pointer -fno-pic -fno-common -ffunction-sections
  -mno-red-zone -mno-sse -mno-mmx -mcmodel=small -march=x86-64 -fno-ident
  "-ffile-prefix-map=${VITRINE_IMAGE_ROOT}/=" "-ffile-prefix-map=/usr/=toolchain/" -fdebug-compilation-dir=.
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror -Wno-unused-command-line-argument
  "-I${VITRINE_IMAGE_ROOT}")
# The library headers of the compiler's host: only the freestanding ones are used, and only what is inline in them.
set(VITRINE_IMAGE_STD_FLAGS "" CACHE STRING "Extra flags that find the freestanding C++ headers")
set(VITRINE_IMAGE_LINK_FLAGS
  -static -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack --no-dynamic-linker --gc-sections
  --fatal-warnings)

if(NOT TARGET images)
  add_custom_target(images ALL)
endif()

# vitrine_image(NAME name SCRIPT linker-script SOURCES file...): build/images/name, from C++ and assembler sources.
function(vitrine_image)
  cmake_parse_arguments(IMAGE "" "NAME;SCRIPT" "SOURCES;FLAGS" ${ARGN})
  set(objects "")
  foreach(source IN LISTS IMAGE_SOURCES)
    get_filename_component(path "${source}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    file(RELATIVE_PATH relative "${VITRINE_IMAGE_ROOT}" "${path}")
    set(outside "")
    if(relative MATCHES "^\\.\\./")  # a payload with a folder of its own
      file(RELATIVE_PATH relative "${CMAKE_CURRENT_SOURCE_DIR}" "${path}")
      set(outside "-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=")
    endif()
    set(object "${VITRINE_IMAGE_OUTPUT}/objects/${IMAGE_NAME}/${relative}.o")
    get_filename_component(folder "${object}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(OUTPUT "${object}"
      COMMAND "${VITRINE_IMAGE_CXX}" ${VITRINE_IMAGE_FLAGS} ${VITRINE_IMAGE_STD_FLAGS} ${outside} ${IMAGE_FLAGS}
              -MD -MF "${object}.d" -c "${path}" -o "${object}"
      DEPENDS "${path}" DEPFILE "${object}.d" VERBATIM
      COMMENT "image ${IMAGE_NAME}: ${relative}")
    list(APPEND objects "${object}")
  endforeach()
  set(output "${VITRINE_IMAGE_OUTPUT}/${IMAGE_NAME}")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${VITRINE_IMAGE_LD}" ${VITRINE_IMAGE_LINK_FLAGS} -T "${IMAGE_SCRIPT}" -o "${output}" ${objects}
    DEPENDS ${objects} "${IMAGE_SCRIPT}" VERBATIM
    COMMENT "image ${IMAGE_NAME}")
  add_custom_target("image_${IMAGE_NAME}" DEPENDS "${output}")
  add_dependencies(images "image_${IMAGE_NAME}")
endfunction()

# vitrine_add_payload(NAME source...): build/images/NAME.elf, a root payload made with the kit.
function(vitrine_add_payload name)
  set(kit "${VITRINE_IMAGE_ROOT}/roms/kit")
  vitrine_image(NAME "${name}.elf" SCRIPT "${kit}/payload.ld"
    SOURCES "${kit}/start.S" "${kit}/interrupts.S" "${kit}/processors.S" "${kit}/boot.cpp" "${kit}/hypercall.cpp" "${kit}/interrupts.cpp"
            "${kit}/memory.cpp" "${kit}/processors.cpp" "${kit}/serial.cpp" ${ARGN})
endfunction()
