# cmake -C cmake/cache/s390x.cmake -S . -B build-s390x: the decoding half and the file formats for big-endian s390x, their
# tests under qemu. Build the targets test_core, test_layout, test_kernels and test_io, then run ctest -R "^(core|layout|kernels|io)$".
set(CMAKE_SYSTEM_NAME Linux CACHE STRING "")
set(CMAKE_SYSTEM_PROCESSOR s390x CACHE STRING "")
set(CMAKE_CXX_COMPILER s390x-linux-gnu-g++ CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-static" CACHE STRING "")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-s390x CACHE STRING "")
set(BASIN_NATIVE OFF CACHE BOOL "")
set(BASIN_BUILD_BENCH OFF CACHE BOOL "")
set(BASIN_BUILD_EXAMPLES OFF CACHE BOOL "")
