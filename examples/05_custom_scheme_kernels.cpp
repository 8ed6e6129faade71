// Kernels for a scheme of your own: 3x6g8, three codebooks of 64 codewords over groups of 8 inputs, 2.25 bits
// per weight. Nothing is registered: codes of 4, 6 and 8 bits, any number of codebooks and any group size run
// through look-ups in registers, every other scheme through decode-and-multiply.
#include <basin/kernels.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

namespace {
constexpr basin::Scheme my_scheme{.num_codebooks = 3, .bits_per_code = 6, .in_group_size = 8};
constexpr std::ptrdiff_t n_out = 1000, n_in = 1024;  // need not divide anything

struct Free {
  void operator()(std::byte* bytes) const { ::operator delete(bytes, std::align_val_t{64}); }
};
std::unique_ptr<std::byte, Free> allocate(std::size_t size) {
  return std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(::operator new(size, std::align_val_t{64})));
}
}  // namespace

int main() {
  std::vector<std::uint16_t> codes, codebooks, scales(n_out, basin::float_to_half(0.02f));
  std::uint32_t state = 1;
  const auto next = [&state] { return (state = state * 1664525u + 1013904223u) >> 16; };
  for (std::ptrdiff_t i = 0; i < n_out * my_scheme.num_in_groups(n_in) * 3; ++i) codes.push_back(next() % 64);
  for (int i = 0; i < 3 * 64 * 8; ++i) codebooks.push_back(basin::float_to_half(static_cast<float>(next()) / 32768.0f - 1));
  std::vector<float> x(n_in), y(n_out);
  for (float& value : x) value = static_cast<float>(next()) / 32768.0f - 1;

  const std::size_t size = basin::packed_layer_bytes(my_scheme, n_out, n_in);
  const auto memory = allocate(size);
  const basin::AdditiveView stored{my_scheme, n_out, n_in, codes.data(), codebooks.data(), scales.data()};
  const auto [layer, error] = basin::pack_layer(stored, {memory.get(), size});
  if (error != basin::PackError::none) return std::printf("%s\n", basin::describe(error)), 1;

  std::vector<double> want(n_out);
  double norm = 0;
  for (std::ptrdiff_t o = 0; o < n_out; ++o) {
    std::vector<float> row(n_in);
    basin::kernels::available_kernels().front().dequantize_fp32(layer, o, o + 1, 0, n_in, row.data(), n_in);
    for (std::size_t i = 0; i < n_in; ++i) want[static_cast<std::size_t>(o)] += static_cast<double>(row[i]) * static_cast<double>(x[i]);
    norm += want[static_cast<std::size_t>(o)] * want[static_cast<std::size_t>(o)];
  }

  bool good = true;
  for (const basin::kernels::KernelSet& path : basin::kernels::available_kernels()) {
    const struct {
      const char* name;
      const basin::kernels::MatvecKernels& kernels;
      double accepted;
    } precisions[] = {{"exact", path.matvec_exact, 1e-5}, {"int16", path.matvec_int16, 1e-3}, {"int8", path.matvec_int8, 3e-2}};
    for (const auto& [name, kernels, accepted] : precisions) {
      const auto workspace = allocate(kernels.workspace_size(layer, 1));
      const auto begin = std::chrono::steady_clock::now();
      kernels.build_tables(layer, x.data(), n_in, 1, 0, basin::num_input_blocks(layer), workspace.get());
      kernels.run(layer, workspace.get(), 1, 0, n_out, y.data(), n_out);
      const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
      double difference = 0;
      for (std::size_t o = 0; o < n_out; ++o) difference += (static_cast<double>(y[o]) - want[o]) * (static_cast<double>(y[o]) - want[o]);
      const double relative = std::sqrt(difference / norm);
      std::printf("%-10s  %-5s  %9.1f us  relative error %.1e\n", path.arch, name, time.count(), relative);
      good &= relative <= accepted;
    }
  }
  return good ? 0 : 1;
}
