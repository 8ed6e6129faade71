# libFuzzer programs, sanitizers and coverage in everything that they call:
#
#   cmake -C cmake/cache/fuzz.cmake -S . -B build-fuzz && cmake --build build-fuzz --target kernels_fuzzer
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -g1" CACHE STRING "")
set(BASIN_BUILD_FUZZ ON CACHE BOOL "")
set(BASIN_BUILD_BENCH OFF CACHE BOOL "")
set(BASIN_BUILD_EXAMPLES OFF CACHE BOOL "")
