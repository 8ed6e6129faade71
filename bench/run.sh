#!/bin/sh
# Builds the benchmarks, runs the headline set and prints it against its goals; writes bench-report.html.
#
#   sh bench/run.sh
#
# BASIN_BUILD_DIR names another build folder, BASIN_BENCH_ROUNDS the number of rounds (3). The results of the
# programs stay in <build>/bench-results/<round>/, for bench/compare.py.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
build=${BASIN_BUILD_DIR:-$root/build}
jobs=$(nproc 2>/dev/null || echo 2)
rounds=${BASIN_BENCH_ROUNDS:-3}
unset BASIN_BENCH_SHAPES BASIN_ARCH

sh "$root/cmake/install_dependencies.sh" --bench
generator=""
[ -e "$build/CMakeCache.txt" ] || generator="-G Ninja"
cmake -S "$root" -B "$build" $generator -DCMAKE_BUILD_TYPE=Release -DBASIN_BUILD_BENCH=ON >/dev/null
cmake --build "$build" -j "$jobs" --target benchmarks

# Releases of OpenBLAS that are older than a CPU take it for an old one and run several times slower than they
# can; a setting for an older core does the same. A baseline must be as fast as it can be.
if grep -q avx512vl /proc/cpuinfo 2>/dev/null; then
  case ${OPENBLAS_CORETYPE:-} in
    SkylakeX | Cooperlake | SapphireRapids) ;;
    *) OPENBLAS_CORETYPE=SkylakeX && export OPENBLAS_CORETYPE ;;
  esac
fi

bin=$build/bin
# Paths come plainest first.
arch=$("$bin/lut_matvec_bench" --benchmark_list_tests | awk -F/ '$1 == "lut_matvec" && $4 != "avx2" { arch = $4 } END { print arch }')
shape=4096x4096

# measure PROGRAM FILTER: a program that this version does not have is left out.
measure() {
  [ -x "$bin/$1" ] || return 0
  echo "  $1"
  "$bin/$1" --benchmark_filter="$2" --benchmark_min_time=0.2 --benchmark_out="$folder/$1.json" \
    --benchmark_out_format=json >"$folder/$1.log" 2>&1 || { cat "$folder/$1.log" >&2; exit 1; }
}

begin=$(date +%s)
results=$build/bench-results
rm -rf "$results"
folders=""
round=1
while [ "$round" -le "$rounds" ]; do
  echo "Round $round of $rounds"
  folder=$results/$round
  folders="$folders $folder"
  mkdir -p "$folder"
  measure machine_limits_bench "read/|multiply_add"
  measure lut_matvec_bench "^lut_matvec/(2x8g8/(exact|int16|int8)|4x4g8/int8)/($arch|avx2)/$shape(/cold)?\$|^lut_matvec/(2x8g8|4x4g8)/int8/$arch/$shape/two_threads\$"
  measure lut_dequantize_bench "^lut_dequantize/2x8g8/fp32/$arch/$shape/"
  measure dequantize_matmul_bench "^dequantize_matmul/2x8g8/(exact|int16|int8)/$arch/$shape/(1|32|512)\$"
  measure level_matvec_bench "^level_matvec/(mnz|pot)/a8/$arch/$shape(/cold|/two_threads)?\$"
  measure level_matmul_bench "^level_matmul/mnz/a8/$arch/$shape/(32|512)\$"
  measure assign_bench "^(assign|k_means)/g8/fp32/native/256x|^greedy_encode/2x8g8"
  round=$((round + 1))
done
echo "Measured in $(($(date +%s) - begin)) seconds."
echo
# shellcheck disable=SC2086  # a list of folders without spaces of its own
python3 -B "$root/bench/support/headline.py" $folders --report "$root/bench-report.html"
