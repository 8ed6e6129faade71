#!/bin/sh
# Quantizes a real language model with every scalar level set and prints what each costs, from rounding to nearest up to
# everything that the library has: squared weight error, layer error, perplexity, means and spreads over rotations.
#
#   sh examples/qift_table.sh [OPTIONS]     under 30 minutes on 2 idle cores
#
#   --calibration FILE, --text FILE   texts to calibrate and to measure on, instead of the demo's
#   --windows N                       windows of 1024 tokens that perplexity is measured on (8)
#   --quick                           two of the 30 blocks and one rotation, a few minutes: shows that it works
#
# Installs what is missing (Debian, Ubuntu), builds in build-demo/, and keeps the downloads for the next run in .cache/ or
# $BASIN_CACHE. The table is also added to report.html.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
program=qift_table.sh
. "$root/examples/support/demo_common.sh"

quick=no windows=8
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes && shift ;;
    --calibration | --text | --windows)
      [ $# -gt 1 ] || { echo "qift_table.sh: $1 needs a value" >&2; exit 2; }
      case $1 in
        --calibration) calibration=$2 ;;
        --text) evaluation=$2 ;;
        --windows) windows=$2 ;;
      esac
      shift 2
      ;;
    *)
      echo "qift_table.sh: unknown option $1; it takes --quick, --calibration, --text and --windows" >&2
      exit 2
      ;;
  esac
done
chosen_calibration=$calibration chosen_evaluation=$evaluation

install_and_build quantize_model perplexity
fetch_model_and_texts
for file in "$chosen_calibration" "$chosen_evaluation"; do
  [ -r "$file" ] || fail "cannot read $file"
done

seeds="0 1 2" tokens=32768 high=15 blocks=""
[ "$quick" = yes ] && seeds=0 tokens=2048 windows=1 high=1 blocks="--blocks 0-1"
results=$build/qift
rm -rf "$results"
mkdir -p "$results"
trap 'rm -rf "$results/hessians"' EXIT

# quantize NAME SEED OPTION...: leaves NAME-SEED/ with summary.json and reports, and the model until it was measured.
quantize() {
  name=$1 seed=$2
  shift 2
  say "$name, rotation $seed"
  # shellcheck disable=SC2086  # lists of options
  "$bin/quantize_model" --model "$model" --calibration "$chosen_calibration" --tokens "$tokens" $blocks \
    --method qift --seed "$seed" --out "$results/$name-$seed" "$@"
}
# measure NAME SEED MODEL [OPTION...]: perplexity of MODEL-SEED, under NAME.
measure() {
  figures=$results/$1-$2.json measured=$results/$3-$2
  shift 3
  "$bin/perplexity" --model "$measured" --text "$chosen_evaluation" --windows "$windows" --json "$figures" "$@"
}
drop() { rm -f "$results/$1-$2/model.safetensors"; }
original="--hessians original --hessian-cache $results/hessians"

say "The original"
"$bin/perplexity" --model "$model" --text "$chosen_evaluation" --windows "$windows" --json "$results/original.json"

for levels in sym_int w_asym mnz pot far lloyd_max; do
  # shellcheck disable=SC2086
  quantize "rtn_$levels" 0 --levels $levels --compensation rtn $original $([ $levels = sym_int ] && echo --gaussianity)
  drop "rtn_$levels" 0
done

for seed in $seeds; do
  for levels in sym_int w_asym mnz pot far lloyd_max int3 int4; do
    case $levels-$seed in mnz-* | int?-* | *-0) ;; *) continue ;; esac  # the others once
    # shellcheck disable=SC2086
    quantize "gptq_$levels" "$seed" --levels $levels --compensation gptq $original
    measure "gptq_$levels" "$seed" "gptq_$levels"
    drop "gptq_$levels" "$seed"
  done
  # shellcheck disable=SC2086
  quantize mixed "$seed" --levels mnz --compensation gptq $original --mixed $high --mixed-tokens 1024
  measure mixed "$seed" mixed
  drop mixed "$seed"
done

for seed in $seeds; do
  quantize beam_mnz "$seed" --levels mnz
  measure beam_mnz "$seed" beam_mnz
  measure beam_mnz_a4kv4 "$seed" beam_mnz --activation-bits 4 --kv-bits 4
  drop beam_mnz "$seed"
done

say "Done. SmolLM2-135M-Instruct, linear layers of $([ "$quick" = yes ] && echo "blocks 0 and 1" || echo "all blocks"):"
echo
python3 -B "$root/examples/support/qift_table.py" "$results" --report "$root/report.html"
say "All of it, table included; the table is also in $root/report.html"
