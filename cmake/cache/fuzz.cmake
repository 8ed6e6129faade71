# libFuzzer programs, sanitizers and coverage in everything that they call:
#
#   cmake -C cmake/cache/fuzz.cmake -S . -B build-fuzz && cmake --build build-fuzz --target fuzzers
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1" CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS -g1" CACHE STRING "")
set(BASIN_BUILD_FUZZ ON CACHE BOOL "")
set(BASIN_BUILD_TESTS OFF CACHE BOOL "")
set(BASIN_BUILD_BENCH OFF CACHE BOOL "")
set(BASIN_BUILD_EXAMPLES OFF CACHE BOOL "")
