#!/bin/sh
# Fuzzes every reader and the kernels with libFuzzer under sanitizers: builds cmake/cache/fuzz.cmake, lets the targets
# write their seeds, runs each for its share of the time and prints a line about it.
#   BASIN_FUZZ_SECONDS  for all targets together (600)     BASIN_FUZZ_JOBS  processes at once, 1 or 2 (2)
#   BASIN_FUZZ_RUNS     executions after which a target ends, however much time is left (no end)
#   BASIN_FUZZ_DIR      where to build, keep corpora and put findings (build-fuzz)
# Ends with 1 if anything was found, with 77 where there is no clang.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${BASIN_FUZZ_SECONDS:-600}
jobs=${BASIN_FUZZ_JOBS:-2}
folder=${BASIN_FUZZ_DIR:-build-fuzz}
command -v clang++ >/dev/null || { echo "No clang++: fuzzing skipped."; exit 77; }

generator=
[ -e "$folder/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator="-G Ninja"
mkdir -p "$folder/logs" "$folder/findings" "$folder/corpus"
cmake -C cmake/cache/fuzz.cmake $generator -S . -B "$folder" >"$folder/logs/configure" 2>&1 || { cat "$folder/logs/configure"; exit 1; }
cmake --build "$folder" --target fuzzers -j "$jobs" || exit 1

targets=$(cd tests/fuzz && ls ./*_fuzz.cpp | sed 's|^\./||; s|\.cpp$||')
share=$((seconds / $(echo "$targets" | wc -l)))
[ "$share" -gt 0 ] || share=1

# fuzz NAME: one target, its line at the end.
fuzz() {
  corpus=$folder/corpus/$1 log=$folder/logs/$1
  mkdir -p "$corpus"
  "$folder/bin/$1" -write_seeds="$corpus" || return 1
  "$folder/bin/${1}er" -max_total_time="$share" -runs="${BASIN_FUZZ_RUNS:--1}" -max_len=8192 -rss_limit_mb=2048 -timeout=20 \
    -print_final_stats=1 -artifact_prefix="$folder/findings/$1-" "$corpus" >"$log" 2>&1
  result=$?
  statistic() { sed -n "s/^stat::$1: *//p" "$log"; }
  printf '%-24s %10s executions %8s a second  coverage %5s  %s\n' "$1" "$(statistic number_of_executed_units)" \
    "$(statistic average_exec_per_sec)" "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" \
    "$([ "$result" = 0 ] && echo "no finding" || echo "FOUND, see $log")"
  return "$result"
}

failed=0
first=
for target in $targets; do
  fuzz "$target" &
  if [ "$jobs" -gt 1 ] && [ -z "$first" ]; then first=$!; continue; fi
  wait $! || failed=1
  [ -z "$first" ] || { wait "$first" || failed=1; first=; }
done
[ -z "$first" ] || wait "$first" || failed=1
exit "$failed"
