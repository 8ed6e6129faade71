#!/bin/sh
# Installs what is missing, builds the tests in build/ and runs them. Arguments go to ctest:
#
#   sh tests/run.sh [-R search]
#
# BASIN_BUILD_DIR names another build folder.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
build=${BASIN_BUILD_DIR:-$root/build}
jobs=$(nproc 2>/dev/null || echo 2)

sh "$root/cmake/install_dependencies.sh"
generator=""
[ -e "$build/CMakeCache.txt" ] || generator="-G Ninja"
cmake -S "$root" -B "$build" $generator -DCMAKE_BUILD_TYPE=Release \
  -DBASIN_BUILD_TESTS=ON -DBASIN_BUILD_EXAMPLES=ON -DBASIN_BUILD_BENCH=OFF
cmake --build "$build" -j "$jobs"
cd "$build"
exec ctest --output-on-failure -j "$jobs" "$@"
