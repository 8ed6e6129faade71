#!/bin/sh
# Quantizes a real language model to 2 bits, once from greedy codebooks and once from OA-EM, and
# shows what each costs: bits, perplexity, layer error, seconds, and text written by the result. Charts are in report.html.
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
program=demo.sh
. "$root/examples/support/demo_common.sh"

install_and_build quantize_model perplexity generate inspect
fetch_model_and_texts

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
  # shellcheck disable=SC2086  # a list of options
  "$bin/quantize_model" --model "$model" --calibration "$calibration" --scheme 2x8g8 --init $init --search joint \
    $quantize_options --out "$results/$init"
  say "Perplexity of the model quantized from $init"
  "$bin/perplexity" --model "$results/$init" --text "$evaluation" --windows $windows --json "$results/$init/perplexity.json"
done

say "Done. SmolLM2-135M-Instruct, $what, 2x8g8:"
echo
"$bin/inspect" --model "$results/greedy" --model "$results/oa_em" --original "$results/original.json" --html "$results/report.html"
cat <<EOF

  Bits per weight count codes, codebooks and scales of the quantized layers. Perplexity is on held-out text.
  Error: tr(dW H dW') / tr(W H W'), mean over the layers; W is the weight a layer aims at, which makes up for
  errors before it. Seconds: wall clock of quantizing and calibrating.
EOF
python3 -B "$root/examples/support/report_page.py" "$results/report.html" "$root/report.html"

prompt="Once upon a time, there was a little girl who"
say "Text by the 2-bit model (OA-EM), from the prompt \"$prompt\":"
echo
"$bin/generate" --model "$results/oa_em" --prompt "$prompt" --tokens 60 --temperature 0.6 --seed 2
echo
say "Charts of all this are in $root/report.html. The quantized models are in $results; try"
echo "  $bin/generate --model $results/oa_em --prompt 'The capital of France is'"
