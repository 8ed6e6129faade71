// Hostile packed levels and activations of any bits through every path: nothing outside the bytes is read, and every
// path says what the scalar one does. The input serves as weight, activations and cache.
#include <basin/kernels.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fuzz/seeds.hpp"
#include "kernels/random_levels.hpp"

using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;
using basin::test::AlignedBytes;

std::vector<std::vector<std::byte>> fuzz_seeds() {
  std::vector<std::vector<std::byte>> seeds;
  for (const basin::test::LevelSet& set : basin::test::level_sets) {
    const basin::test::RandomLevels layer(set, 6, 40, 1);
    seeds.emplace_back(layer.memory.data(), layer.memory.data() + layer.memory.size());
  }
  return seeds;
}

namespace {
void require_same(const std::vector<float>& got, const std::vector<float>& want) {
  for (std::size_t i = 0; i < want.size(); ++i)
    if (!(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))) std::abort();
}

/// Both products, whose bits must agree.
std::vector<float> multiply(const KernelSet& set, const basin::PackedLevels& layer, const ActivationFormat& format, const std::vector<float>& x,
                            std::ptrdiff_t batch) {
  const AlignedBytes workspace(basin::kernels::activation_bytes(format, layer.n_in, batch)), scratch(set.level_matmul.scratch_size(batch));
  set.activations.run(format, x.data(), layer.n_in, layer.n_in, batch, 0, batch, workspace.data());
  std::vector<float> y(static_cast<std::size_t>(batch * layer.n_out)), again(y.size());
  set.level_matvec(layer, format, workspace.data(), batch, 0, layer.n_out, y.data(), layer.n_out);
  set.level_matmul.run(layer, format, workspace.data(), batch, 0, layer.n_out, again.data(), layer.n_out, scratch.data());
  require_same(again, y);
  return y;
}

/// What a cache of some floats decodes to, its scores of the first row and its mix.
std::vector<float> attend(const KernelSet& set, const std::vector<float>& x) {
  constexpr std::ptrdiff_t size = 64, group = 32;
  const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(x.size()) / size;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * size / 2)), zeros(static_cast<std::size_t>(rows * size / group));
  std::vector<float> scales(zeros.size()), all(static_cast<std::size_t>(rows * size + rows + size));
  const basin::kernels::Kv4Cache cache{{size, group, 1}, codes.data(), scales.data(), zeros.data()};
  const ActivationFormat format{8, 1, group};
  const AlignedBytes workspace(basin::kernels::activation_bytes(format, size, 1));
  set.activations.run(format, x.data(), size, size, 1, 0, 1, workspace.data());
  set.kv4.quantize(cache, x.data(), size, 0, rows);
  set.kv4.dequantize(cache, 0, rows, all.data(), size);
  set.kv4.scores(cache, basin::kernels::quantized_activations(format, size, 1, workspace.data()), 0, 0, rows, all.data() + rows * size);
  set.kv4.mix(cache, x.data(), 0, rows, all.data() + rows * size + rows);
  return all;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 64) return 0;
  const AlignedBytes memory(size);
  std::memcpy(memory.data(), data, size);
  // Without the right hash few mutants would come any further.
  auto* header = reinterpret_cast<std::uint8_t*>(memory.data());
  basin::detail::put_header_field(header + 56, basin::detail::header_hash(header), 8);
  std::vector<float> raw(size / sizeof(float));
  std::memcpy(raw.data(), data, raw.size() * sizeof(float));
  const auto all = basin::kernels::available_kernels();
  if (raw.size() >= 64) {
    const std::vector<float> want = attend(all.front(), raw);
    for (const KernelSet& set : all) require_same(attend(set, raw), want);
  }
  const basin::LevelsResult opened = basin::open_packed_levels(memory.span());
  if (opened.error != basin::LevelsError::none) return 0;
  const basin::PackedLevels& layer = opened.layer;
  if (layer.n_out > 1000 || layer.n_in > 1000) return 0;
  const std::ptrdiff_t batch = 1 + data[size - 1] % 8;
  std::vector<float> x;
  for (std::ptrdiff_t i = 0; i < batch * layer.n_in; ++i) x.push_back(raw[static_cast<std::size_t>(i) % raw.size()]);
  for (const ActivationFormat& format : {ActivationFormat{}, ActivationFormat{4, 0.9f, 16}, ActivationFormat{8, 0.5f, 48}}) {
    const std::vector<float> want = multiply(all.front(), layer, format, x, batch);
    for (const KernelSet& set : all) require_same(multiply(set, layer, format, x, batch), want);
  }
  return 0;
}
