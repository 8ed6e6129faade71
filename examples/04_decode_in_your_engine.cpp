// The host side: an engine that multiplies with a quantized layer and needs nothing of basin but
// <basin/kernels.hpp>. The layer's memory, the buffers and the threads are the engine's own.
#include <basin/kernels.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace engine {
/// A linear layer as this engine keeps it.
struct Linear {
  basin::AdditiveLayer layer;

  void apply(const std::vector<float>& x, std::vector<float>& y) const {
    using Matvec = basin::kernels::LutMatvec<basin::kernels::scalar>;
    const basin::AdditiveView view = basin::view(layer);
    std::vector<float> table(static_cast<std::size_t>(basin::kernels::lut_size(view)));
    Matvec::build_lut(view, x.data(), table.data());
    const std::ptrdiff_t half = layer.n_out / 2;
    std::thread upper([&] { Matvec::run(view, table.data(), 0, half, y.data()); });
    Matvec::run(view, table.data(), half, layer.n_out, y.data() + half);
    upper.join();
  }
};

/// Codes as they would come out of a file: arbitrary here.
Linear example_layer() {
  Linear linear;
  linear.layer = {.scheme = {2, 4, 8, 1}, .n_out = 64, .n_in = 100, .codes = {}, .codebooks = {}, .scales = {}};
  const basin::AdditiveLayer& layer = linear.layer;
  const auto size = static_cast<std::size_t>(layer.scheme.codebook_size());
  for (std::size_t i = 0; i < 2 * size * 8; ++i)
    linear.layer.codebooks.push_back(basin::float_to_half(0.01f * static_cast<float>(static_cast<int>(i * 37 % 101) - 50)));
  for (std::ptrdiff_t i = 0; i < layer.num_out_groups() * layer.num_in_groups() * 2; ++i)
    linear.layer.codes.push_back(static_cast<std::uint16_t>(i * 29 % 16));
  linear.layer.scales.assign(64, basin::float_to_half(0.5f));
  return linear;
}
}  // namespace engine

int main() {
  const engine::Linear linear = engine::example_layer();
  std::vector<float> x(100), y(64), row(100);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  linear.apply(x, y);

  double worst = 0;
  for (std::ptrdiff_t o = 0; o < 64; ++o) {
    basin::kernels::LutDequantize<basin::kernels::scalar>::run(basin::view(linear.layer), o, o + 1, row.data(), 100);
    double want = 0;
    for (std::size_t i = 0; i < x.size(); ++i) want += static_cast<double>(row[i]) * static_cast<double>(x[i]);
    worst = std::max(worst, std::abs(want - static_cast<double>(y[static_cast<std::size_t>(o)])));
  }
  std::printf("64 outputs from codes; largest difference from decode-and-multiply %.2e\n", worst);
  return worst < 1e-4 ? 0 : 1;
}
