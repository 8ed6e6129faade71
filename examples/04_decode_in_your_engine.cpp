// The host side: an engine that multiplies with a quantized layer and needs nothing of basin but
// <basin/kernels.hpp>. The layer's memory, the buffers and the threads are the engine's own.
#include <basin/kernels.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace engine {
struct FreeBytes {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using Bytes = std::unique_ptr<std::byte, FreeBytes>;
Bytes allocate(std::size_t size) { return Bytes(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64))); }

/// A linear layer as this engine keeps it: packed once, when the model is loaded.
struct Linear {
  Bytes memory;
  basin::PackedLayer layer;

  explicit Linear(const basin::AdditiveView& stored) {
    const std::size_t size = basin::packed_layer_bytes(stored.scheme, stored.n_out, stored.n_in);
    memory = allocate(size);
    const basin::PackResult packed = basin::pack_layer(stored, {memory.get(), size});
    if (packed.error != basin::PackError::none) std::printf("%s\n", basin::describe(packed.error));
    layer = packed.layer;
  }

  void apply(const std::vector<float>& x, std::vector<float>& y) const {
    // The best path that this program has and this processor can run, or the one of BASIN_ARCH.
    const basin::kernels::MatvecKernels& matvec = basin::kernels::best_kernels().matvec_int16;
    const Bytes workspace = allocate(matvec.workspace_size(layer, 1));
    matvec.build_tables(layer, x.data(), layer.n_in, 1, 0, basin::num_input_blocks(layer), workspace.get());
    const std::ptrdiff_t half = layer.n_out / 2;
    std::thread upper([&] { matvec.run(layer, workspace.get(), 1, 0, half, y.data(), layer.n_out); });
    matvec.run(layer, workspace.get(), 1, half, layer.n_out, y.data() + half, layer.n_out);
    upper.join();
  }

  /// A whole prompt: x is [batch, n_in], y is [batch, n_out].
  void apply_all(const std::vector<float>& x, std::ptrdiff_t batch, std::vector<float>& y) const {
    const basin::kernels::MatmulKernels matmul = basin::kernels::available_kernels().back().matmul_int16;
    const Bytes workspace = allocate(matmul.workspace_size(layer, batch)), scratch = allocate(matmul.scratch_size(layer, batch));
    matmul.prepare(layer, x.data(), layer.n_in, batch, 0, batch, workspace.get());
    matmul.run(layer, workspace.get(), batch, 0, layer.n_out, y.data(), layer.n_out, scratch.get());
  }
};

/// A layer as it would come out of a file: arbitrary here.
struct Stored {
  std::vector<std::uint16_t> codes, codebooks, scales;
  basin::AdditiveView view;

  Stored(const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) {
    const std::ptrdiff_t count = n_out * scheme.num_in_groups(n_in) * scheme.num_codebooks;
    for (std::ptrdiff_t i = 0; i < count; ++i) codes.push_back(static_cast<std::uint16_t>(i * 29 % scheme.codebook_size()));
    for (std::ptrdiff_t i = 0; i < scheme.num_codebooks * scheme.codebook_size() * scheme.in_group_size; ++i)
      codebooks.push_back(basin::float_to_half(0.01f * static_cast<float>(static_cast<int>(i * 37 % 101) - 50)));
    scales.assign(static_cast<std::size_t>(n_out), basin::float_to_half(0.5f));
    view = {scheme, n_out, n_in, codes.data(), codebooks.data(), scales.data()};
  }
};
}  // namespace engine

int main() {
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  char text[256];
  if (choice.error != basin::kernels::ArchError::none) {
    std::fprintf(stderr, "04_decode_in_your_engine: %s\n", describe(choice, text));
    return 2;
  }
  std::printf("%s\n", describe(choice, text));

  const engine::Stored stored({.num_codebooks = 2, .bits_per_code = 8, .in_group_size = 8}, 64, 100);
  const engine::Linear linear(stored.view);
  std::vector<float> x(100), y(64), row(100);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  linear.apply(x, y);

  std::vector<float> prompt, outputs(12 * 64);
  for (int v = 0; v < 12; ++v) prompt.insert(prompt.end(), x.begin(), x.end());
  linear.apply_all(prompt, 12, outputs);

  double error = 0, prompt_error = 0, norm = 0;
  for (std::ptrdiff_t o = 0; o < 64; ++o) {
    basin::kernels::LutDequantize<basin::kernels::scalar>::run(linear.layer, o, o + 1, 0, 100, row.data(), 100);
    double want = 0;
    for (std::size_t i = 0; i < x.size(); ++i) want += static_cast<double>(row[i]) * static_cast<double>(x[i]);
    const double difference = want - static_cast<double>(y[static_cast<std::size_t>(o)]);
    error += difference * difference;
    const double prompt_difference = want - static_cast<double>(outputs[static_cast<std::size_t>(11 * 64 + o)]);
    prompt_error += prompt_difference * prompt_difference;
    norm += want * want;
  }

  // Which path and precision is fastest for this layer, at an error of a thousandth: measured in a few milliseconds.
  const std::span<const basin::kernels::KernelSet> paths = basin::kernels::available_kernels();
  const std::size_t size = basin::kernels::choose_scratch_bytes(linear.layer, paths, 1);
  const engine::Bytes scratch = engine::allocate(size);
  const basin::kernels::Plan plan =
      basin::kernels::choose(linear.layer, paths, {.batch = 1, .max_relative_error = 1e-3f}, {scratch.get(), size});
  basin::kernels::to_text(plan, text);
  std::printf("%s\n", text);

  const double relative = std::sqrt(error / norm), of_prompt = std::sqrt(prompt_error / norm);
  std::printf("64 outputs from codes; relative error %.1e against decode-and-multiply, %.1e for a prompt\n", relative, of_prompt);
  return relative < 1e-3 && of_prompt < 5e-3 ? 0 : 1;
}
