# Freestanding x86-64 guest programs, built with the host's compiler where that makes x86-64 ELF, else with a cross
# compiler; without either they are left out.
set(KITE_GUEST_COMPILER "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64" AND NOT APPLE)
  set(KITE_GUEST_COMPILER ${CMAKE_CXX_COMPILER})
else()
  find_program(KITE_CROSS_COMPILER NAMES x86_64-linux-gnu-g++ x86_64-elf-g++)
  if(KITE_CROSS_COMPILER)
    set(KITE_GUEST_COMPILER ${KITE_CROSS_COMPILER})
  else()
    message(STATUS "No compiler for x86-64 guests (x86_64-linux-gnu-g++): the self-test and the test guests are left out")
  endif()
endif()
# -mno-red-zone: interrupts use the stack below RSP. -mgeneral-regs-only: SIMD state belongs to the tests.
set(KITE_GUEST_FLAGS -std=c++20 -O2 -ffreestanding -fno-builtin -fno-exceptions -fno-rtti -fno-stack-protector -fno-pic
  -fno-asynchronous-unwind-tables -fno-threadsafe-statics -fcf-protection=none -mno-red-zone -mgeneral-regs-only
  -mcmodel=small -Wall -Wextra -Werror -I${CMAKE_SOURCE_DIR})
set(KITE_GUEST_LINK_FLAGS -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack)
set(KITE_GUEST_RUNTIME ${CMAKE_SOURCE_DIR}/firmware/selftest/runtime)
file(GLOB KITE_GUEST_RUNTIME_SOURCES CONFIGURE_DEPENDS ${KITE_GUEST_RUNTIME}/*.cpp ${KITE_GUEST_RUNTIME}/*.S)

# kite_guest_command(output source flag…): the command that makes `output` of one source and, anew, of what it includes.
function(kite_guest_command output source)
  add_custom_command(OUTPUT ${output}
    COMMAND ${KITE_GUEST_COMPILER} ${ARGN} -MD -MT ${output} -MF ${output}.d -o ${output} ${source}
    DEPENDS ${source} DEPFILE ${output}.d VERBATIM)
endfunction()

# kite_guest(image source…): the commands that make the ELF file `image`.
function(kite_guest image)
  get_property(made DIRECTORY PROPERTY KITE_GUEST_OBJECTS) # the runtime's are made once for a folder
  set(objects "")
  foreach(source IN LISTS KITE_GUEST_RUNTIME_SOURCES ARGN)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE name)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/objects/${name}.o)
    list(APPEND objects ${object})
    if(NOT object IN_LIST made)
      cmake_path(GET object PARENT_PATH folder)
      file(MAKE_DIRECTORY ${folder})
      kite_guest_command(${object} ${source} ${KITE_GUEST_FLAGS} -c)
      list(APPEND made ${object})
    endif()
  endforeach()
  set_property(DIRECTORY PROPERTY KITE_GUEST_OBJECTS ${made})
  add_custom_command(OUTPUT ${image}
    COMMAND ${KITE_GUEST_COMPILER} ${KITE_GUEST_LINK_FLAGS} -T ${KITE_GUEST_RUNTIME}/image.ld -o ${image} ${objects}
    DEPENDS ${objects} ${KITE_GUEST_RUNTIME}/image.ld VERBATIM)
endfunction()
