# cmake -C cmake/cache/i386.cmake -S . -B build-i386: the decoding half and the file formats for 32-bit x86, their tests
# under qemu. Build the targets test_core, test_layout, test_kernels and test_io, then run ctest -R "^(core|layout|kernels|io)$".
set(CMAKE_SYSTEM_NAME Linux CACHE STRING "")
set(CMAKE_SYSTEM_PROCESSOR i686 CACHE STRING "")
set(CMAKE_CXX_COMPILER i686-linux-gnu-g++ CACHE STRING "")
# Floats rounded to floats after each operation, which the x87 unit does not do.
set(CMAKE_CXX_FLAGS "-msse2 -mfpmath=sse" CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-static" CACHE STRING "")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-i386 CACHE STRING "")
set(BASIN_NATIVE OFF CACHE BOOL "")
set(BASIN_BUILD_BENCH OFF CACHE BOOL "")
set(BASIN_BUILD_EXAMPLES OFF CACHE BOOL "")
