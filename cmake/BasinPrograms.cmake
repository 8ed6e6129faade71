# What our own programs are compiled with. None of it reaches what links basin.

include(CheckCXXCompilerFlag)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
find_package(Threads REQUIRED)

add_library(basin_dev INTERFACE)
target_link_libraries(basin_dev INTERFACE basin::basin basin::io Threads::Threads)
target_compile_definitions(basin_dev INTERFACE EIGEN_MPL2_ONLY)
target_include_directories(basin_dev INTERFACE ${PROJECT_SOURCE_DIR})
# Warnings and sanitizers: the kernels' too. -march=native is not: each path has its own.
option(BASIN_WERROR "Treat warnings in our own programs as errors" OFF)
set(BASIN_SANITIZE "" CACHE STRING "Sanitizers for our own programs, such as address,undefined; see cmake/cache/asan.cmake")
set(basin_dev_flags
  $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion>
  $<$<CXX_COMPILER_ID:MSVC>:/W4;/permissive->)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms in its own AVX-512 intrinsics.
  list(APPEND basin_dev_flags -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
if(BASIN_WERROR)
  list(APPEND basin_dev_flags $<IF:$<CXX_COMPILER_ID:MSVC>,/WX,-Werror>)
endif()
if(BASIN_SANITIZE)
  list(APPEND basin_dev_flags -fsanitize=${BASIN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(basin_dev INTERFACE -fsanitize=${BASIN_SANITIZE})
endif()
target_compile_options(basin_dev INTERFACE ${basin_dev_flags})

if(BASIN_NATIVE)
  check_cxx_compiler_flag(-march=native BASIN_HAS_MARCH_NATIVE)
  if(BASIN_HAS_MARCH_NATIVE)
    target_compile_options(basin_dev INTERFACE -march=native)
  endif()
endif()

# Every path of the kernels, compiled once for all programs.
if(NOT MSVC)
  add_library(basin_dev_kernels STATIC)
  set_target_properties(basin_dev_kernels PROPERTIES LINKER_LANGUAGE CXX)
  basin_add_kernels(basin_dev_kernels ARCHS ALL OPTIONS ${basin_dev_flags})
  target_link_libraries(basin_dev INTERFACE basin_dev_kernels)
endif()

# basin_program(NAME source...): a program of ours in bin/.
function(basin_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE basin_dev)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
