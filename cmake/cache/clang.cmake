# cmake -C cmake/cache/clang.cmake -S . -B build-clang
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
