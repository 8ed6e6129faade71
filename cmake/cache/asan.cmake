# cmake -C cmake/cache/asan.cmake -S . -B build-asan
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1" CACHE STRING "")
set(CMAKE_CXX_FLAGS "-D_GLIBCXX_ASSERTIONS" CACHE STRING "")
set(BASIN_SANITIZE "address,undefined" CACHE STRING "")
