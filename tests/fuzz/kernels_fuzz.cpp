// Hostile packed bytes through every path: nothing outside the bytes is read, and every path says
// what the scalar one does.
#include <basin/kernels.hpp>
#include <basin/layout/additive_layer.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "fuzz/seeds.hpp"
#include "kernels/random_layer.hpp"

using basin::PackedLayer;
using basin::kernels::KernelSet;
using basin::kernels::MatmulKernels;
using basin::kernels::MatvecKernels;

std::vector<std::vector<std::byte>> fuzz_seeds() {
  std::vector<std::vector<std::byte>> seeds;
  for (const basin::Scheme& scheme : {basin::Scheme{2, 8, 8, 1}, {3, 4, 8, 1}, {3, 6, 4, 1}, {1, 5, 8, 1}, {2, 3, 3, 2}}) {
    const basin::test::PackedRandomLayer layer(scheme, 6, 40, 1);
    seeds.emplace_back(layer.memory.data(), layer.memory.data() + layer.memory.size());
  }
  return seeds;
}

namespace {
std::vector<float> multiply(const MatvecKernels& kernels, const PackedLayer& layer, const std::vector<float>& x) {
  const basin::test::AlignedBytes workspace(kernels.workspace_size(layer, 2));
  std::vector<float> y(2 * static_cast<std::size_t>(layer.n_out));
  kernels.build_tables(layer, x.data(), 1, 2, 0, basin::num_input_blocks(layer), workspace.data());
  kernels.run(layer, workspace.data(), 2, 0, layer.n_out, y.data(), layer.n_out);
  return y;
}

std::vector<float> multiply(const MatmulKernels& kernels, const PackedLayer& layer, const std::vector<float>& x) {
  const basin::test::AlignedBytes workspace(kernels.workspace_size(layer, 2)), scratch(kernels.scratch_size(layer, 2));
  std::vector<float> y(2 * static_cast<std::size_t>(layer.n_out));
  kernels.prepare(layer, x.data(), 1, 2, 0, 2, workspace.data());
  kernels.run(layer, workspace.data(), 2, 0, layer.n_out, y.data(), layer.n_out, scratch.data());
  return y;
}

/// All rows, and all inputs but the first and the last.
std::vector<float> decode(const KernelSet& set, const PackedLayer& layer) {
  const std::ptrdiff_t first = layer.n_in > 2 ? 1 : 0, last = layer.n_in > 2 ? layer.n_in - 1 : layer.n_in;
  std::vector<float> weight(static_cast<std::size_t>(layer.n_out * (last - first)));
  set.dequantize_fp32(layer, 0, layer.n_out, first, last, weight.data(), last - first);
  return weight;
}

/// What DequantizeMatmul asks of a layer.
bool is_finite(const PackedLayer& layer) {
  const std::ptrdiff_t codewords = layer.scheme.num_codebooks * layer.scheme.codebook_size() * layer.scheme.codeword_size();
  bool finite = std::isfinite(layer.max_codeword_norm);
  if (layer.family == basin::CodeFamily::rows)
    for (std::ptrdiff_t i = 0; i < codewords; ++i) finite &= std::isfinite(basin::half_to_float(layer.half_codebooks[i]));
  for (std::ptrdiff_t o = 0; o < layer.n_out / layer.scheme.out_group_size; ++o) finite &= std::isfinite(layer.scales[o]);
  return finite;
}

void require_same(const std::vector<float>& got, const std::vector<float>& want) {
  for (std::size_t i = 0; i < want.size(); ++i)
    if (!(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 64) return 0;
  const basin::test::AlignedBytes memory(size);
  std::memcpy(memory.data(), data, size);
  // Without the right hash few mutants would come any further.
  auto* header = reinterpret_cast<std::uint8_t*>(memory.data());
  basin::detail::put_header_field(header + 56, basin::detail::header_hash(header), 8);
  const basin::PackResult opened = basin::open_packed_layer(memory.span());
  if (opened.error != basin::PackError::none) return 0;
  const PackedLayer& layer = opened.layer;
  if (layer.n_out > 1000 || layer.n_in > 1000) return 0;
  std::vector<float> x;
  for (std::ptrdiff_t i = 0; i <= layer.n_in; ++i) x.push_back(static_cast<float>(data[static_cast<std::size_t>(i) % size]) - 100.0f);
  const auto all = basin::kernels::available_kernels();
  for (const auto precision : {&KernelSet::matvec_exact, &KernelSet::matvec_int16, &KernelSet::matvec_int8}) {
    const std::vector<float> want = multiply(all.front().*precision, layer, x);
    for (const KernelSet& set : all) {
      const std::vector<float> got = multiply(set.*precision, layer, x);
      if (layer.family == basin::CodeFamily::planes) require_same(got, want);  // others add in their own order
    }
  }
  if (is_finite(layer))
    for (const auto precision : {&KernelSet::matmul_int16, &KernelSet::matmul_int8}) {
      const std::vector<float> want = multiply(all.front().*precision, layer, x);
      for (const KernelSet& set : all) require_same(multiply(set.*precision, layer, x), want);
    }
  const std::vector<float> weight = decode(all.front(), layer);
  for (const KernelSet& set : all) {
    multiply(set.matmul_exact, layer, x);
    require_same(decode(set, layer), weight);
  }
  return 0;
}
