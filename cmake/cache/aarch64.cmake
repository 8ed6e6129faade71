# cmake -C cmake/cache/aarch64.cmake -S . -B build-aarch64: the decoding half for AArch64, its tests under qemu.
# Build the targets test_layout and test_kernels, then run ctest -R "^(layout|kernels)$".
set(CMAKE_SYSTEM_NAME Linux CACHE STRING "")
set(CMAKE_SYSTEM_PROCESSOR aarch64 CACHE STRING "")
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++ CACHE STRING "")
set(CMAKE_CXX_FLAGS "-march=armv8.2-a+dotprod" CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-static" CACHE STRING "")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 CACHE STRING "")
set(BASIN_NATIVE OFF CACHE BOOL "")
set(BASIN_BUILD_BENCH OFF CACHE BOOL "")
set(BASIN_BUILD_EXAMPLES OFF CACHE BOOL "")
