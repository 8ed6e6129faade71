# Every path of the kernels in one program, each compiled with its own instruction set, for
# add_subdirectory(basin) and find_package(basin) alike.
#
#   basin_add_kernels(<target> ARCHS <arch>... | ALL [OPTIONS <flag>...])
#
# adds one file per path to the target, and the definitions by which <basin/kernels/dispatch.hpp> takes
# the paths from there instead of from the flags of the including file. `scalar` is always among them.
# ALL is every path of the processor family that is compiled for; a path of another family is an error
# only where it is named. The files see the target's include directories and definitions, CMAKE_CXX_FLAGS
# and OPTIONS, but none of the target's own flags: neither its -march nor its warnings.
#
# Who links a static or interface library with kernels takes them from there; an executable or shared
# library keeps them to itself. Needs g++ or clang.

include_guard(GLOBAL)
include(CheckCXXSourceCompiles)

# The processor family of a path, and its flags. -march first: it takes back what CMAKE_CXX_FLAGS says.
function(_basin_kernel_flags arch family_variable flags_variable)
  set(x86 -march=x86-64)
  set(avx2 ${x86} -mavx2 -mfma -mf16c)
  set(avx512bw ${avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq)
  set(arm -march=armv8-a)
  set(family x86_64)
  if(arch STREQUAL "scalar")
    set(family any)
    if(BASIN_COMPILES_FOR_X86_64)
      set(flags ${x86})
    elseif(BASIN_COMPILES_FOR_AARCH64)
      set(flags ${arm})
    else()
      set(flags "")
    endif()
  elseif(arch STREQUAL "avx2")
    set(flags ${avx2})
  elseif(arch STREQUAL "avx2vnni")
    set(flags ${avx2} -mavxvnni)
  elseif(arch STREQUAL "avx512bw")
    set(flags ${avx512bw})
  elseif(arch STREQUAL "avx512vnni")
    set(flags ${avx512bw} -mavx512vnni)
  elseif(arch STREQUAL "avx512vbmi")
    set(flags ${avx512bw} -mavx512vnni -mavx512vbmi)
  elseif(arch STREQUAL "neon64")
    set(family aarch64)
    set(flags ${arm})
  elseif(arch STREQUAL "neon64dot")
    set(family aarch64)
    set(flags -march=armv8.2-a+dotprod)
  else()
    set(family "")
    set(flags "")
  endif()
  set(${family_variable} "${family}" PARENT_SCOPE)
  set(${flags_variable} "${flags}" PARENT_SCOPE)
endfunction()

function(basin_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARCHS;OPTIONS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_ARCHS)
    message(FATAL_ERROR "basin_add_kernels(<target> ARCHS <arch>... | ALL [OPTIONS <flag>...]); "
      "got \"${ARGN}\" after ${target}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "basin_add_kernels: there is no target ${target}")
  endif()
  set(objects ${target}_kernels)
  if(TARGET ${objects})
    message(FATAL_ERROR "basin_add_kernels: ${target} has its kernels already; name all ARCHS in one call")
  endif()

  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    set(scope INTERFACE)
    set(inherited INTERFACE_)
  elseif(type STREQUAL "STATIC_LIBRARY")
    set(scope PUBLIC)
    set(inherited "")
  elseif(type MATCHES "^(EXECUTABLE|SHARED_LIBRARY|MODULE_LIBRARY)$")
    set(scope PRIVATE)
    set(inherited "")
  else()
    message(FATAL_ERROR "basin_add_kernels: ${target} is of type ${type}; "
      "it takes executables and static, shared, module and interface libraries")
  endif()

  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang)$")
    if(arg_ARCHS STREQUAL "ALL")
      message(STATUS "basin_add_kernels: only g++ and clang are supported, not ${CMAKE_CXX_COMPILER_ID}; "
        "${target} has the paths that its own flags allow")
      return()
    endif()
    message(FATAL_ERROR "basin_add_kernels: only g++ and clang are supported, not ${CMAKE_CXX_COMPILER_ID}; "
      "without it a file has the paths that its own flags allow")
  endif()
  check_cxx_source_compiles("#ifndef __x86_64__\n#error\n#endif\nint main() {}" BASIN_COMPILES_FOR_X86_64)
  check_cxx_source_compiles("#ifndef __aarch64__\n#error\n#endif\nint main() {}" BASIN_COMPILES_FOR_AARCH64)

  get_property(known GLOBAL PROPERTY BASIN_KERNEL_ARCHS)
  if(arg_ARCHS STREQUAL "ALL")
    set(wanted ${known})
  else()
    set(wanted scalar ${arg_ARCHS})
    list(REMOVE_DUPLICATES wanted)
  endif()

  set(sources "")
  set(definitions BASIN_KERNELS_EXTERN=1)
  foreach(arch IN LISTS wanted)
    if(NOT arch IN_LIST known)
      list(JOIN known " " text)
      message(FATAL_ERROR "basin_add_kernels: there is no path ${arch}; there are ${text}, or ALL of them")
    endif()
    _basin_kernel_flags(${arch} family flags)
    if(NOT family STREQUAL "any" AND NOT (family STREQUAL "x86_64" AND BASIN_COMPILES_FOR_X86_64) AND
        NOT (family STREQUAL "aarch64" AND BASIN_COMPILES_FOR_AARCH64))
      if(arg_ARCHS STREQUAL "ALL")
        continue()
      endif()
      message(FATAL_ERROR "basin_add_kernels: path ${arch} is for ${family}, which ${target} is not compiled for")
    endif()
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${objects}/${arch}.cpp)
    file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
// Written by basin_add_kernels: the kernels of the path @arch@, compiled with its flags.
#include <basin/kernels/arch/@arch@.hpp>
#include <basin/kernels/kernel_set.hpp>

template basin::kernels::KernelSet basin::kernels::kernel_set<basin::kernels::@arch@>() noexcept;
]])
    # Kernels do not throw; without exceptions clang writes no handler that files would share.
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags};-fno-exceptions")
    list(APPEND sources ${source})
    string(TOUPPER ${arch} upper)
    list(APPEND definitions BASIN_KERNELS_${upper}=1)
  endforeach()

  add_library(${objects} OBJECT ${sources})
  target_link_libraries(${objects} PRIVATE basin::decode)
  target_include_directories(${objects} PRIVATE $<TARGET_PROPERTY:${target},${inherited}INCLUDE_DIRECTORIES>)
  target_compile_definitions(${objects} PRIVATE $<TARGET_PROPERTY:${target},${inherited}COMPILE_DEFINITIONS>)
  target_compile_options(${objects} PRIVATE ${arg_OPTIONS})
  set_target_properties(${objects} PROPERTIES CXX_EXTENSIONS OFF UNITY_BUILD OFF)
  get_target_property(independent ${target} POSITION_INDEPENDENT_CODE)
  if(type MATCHES "^(SHARED|MODULE)_LIBRARY$" OR independent)
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  target_sources(${target} ${scope} $<TARGET_OBJECTS:${objects}>)
  target_compile_definitions(${target} ${scope} ${definitions})
endfunction()
