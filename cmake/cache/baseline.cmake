# cmake -C cmake/cache/baseline.cmake -S . -B build-baseline: for any machine of the architecture
set(BASIN_NATIVE OFF CACHE BOOL "")
