#!/bin/sh
# Debian 13 on any Debian: its g++, Eigen, xsimd, Catch2, Benchmark, nlohmann/json and CLI11, in a folder that debootstrap makes. As root.
#
#   sh tests/debian13.sh FOLDER [COMMAND]
#
# Runs the shell's COMMAND on a copy of our sources there. Without one: the tests of the larger half of the rooms, for no machine in particular; tests,
# programs and benchmarks beside these are compiled without a warning. A folder that is there is used again, build folders outside the sources included.
# BASIN_DEBIAN_MIRROR names another mirror. Exit status 77: there is no way to have that system here.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
folder=$1
command=${2:-'
  rooms="core metric codebook search transform levels layout kernels io"
  cmake -C cmake/cache/baseline.cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1
  cmake --build /build -j "$(nproc)" --target $(printf "test_%s " $rooms)
  rooms=$(echo "$rooms" | tr " " "|")
  (cd /build && ctest -j "$(nproc)" -R "^($rooms)\$")
  python3 tests/compile_only.py /build "/(examples|bench)/|/tests/(?!($rooms|consumer|fuzz|single_header)/)" "$(nproc)"'}

if [ ! -e "$folder/made" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "No debootstrap, or not root: skipped."
    exit 77
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  packages=g++,cmake,ninja-build,python3,ccache,libeigen3-dev,libxsimd-dev,nlohmann-json3-dev,libcli11-dev,libcatch2-dev,libbenchmark-dev
  timeout 600 debootstrap --variant=minbase --include="$packages" trixie "$folder" "${BASIN_DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$folder.log" 2>&1 || {
    tail -n 5 "$folder.log"
    echo "Debian 13 is out of reach here: skipped."
    exit 77
  }
  touch "$folder/made"
fi

rm -rf "$folder/basin"
mkdir "$folder/basin"
(cd "$root" && tar cf - CMakeLists.txt LICENSE README.md bench cmake docs examples include tests) | tar xf - -C "$folder/basin"
exec chroot "$folder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 CCACHE_DIR=/ccache CTEST_OUTPUT_ON_FAILURE=1 \
  sh -euc "cd /basin; g++ --version | head -n 1; $command"
