#include <basin/kernels/lut_dequantize.hpp>  // first: proves the header stands alone
#include <basin/kernels/arch/scalar.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/random_layer.hpp"
#include "support/catch.hpp"

using Dequantize = basin::kernels::LutDequantize<basin::kernels::scalar>;
using basin::test::PackedRandomLayer;
using basin::test::reference_weight;

TEST_CASE("LutDequantize decodes what the codes stand for, for any scheme and shape", "[kernels][reference]") {
  const auto [codebooks, bits, g, g_out] =
      GENERATE(table<int, int, int, int>({{1, 1, 1, 1}, {2, 8, 8, 1}, {3, 5, 4, 1}, {8, 4, 16, 1}, {1, 12, 8, 1}, {2, 6, 8, 2}}));
  const std::ptrdiff_t n_in = GENERATE(1, 7, 8, 61);
  CAPTURE(codebooks, bits, g, g_out, n_in);
  const PackedRandomLayer random({codebooks, bits, g, g_out}, 6 * g_out, n_in, 3);
  const basin::AdditiveLayer& layer = random.stored;
  const std::vector<double> want = reference_weight(layer);
  const std::ptrdiff_t stride = n_in + 3;
  std::vector<float> got(static_cast<std::size_t>(layer.n_out * stride), -1.0f);
  Dequantize::run(random.packed, 0, layer.n_out, 0, n_in, got.data(), stride);
  // M additions and one product of values below 1.
  const double bound = (codebooks + 1) * codebooks * 0x1p-24;
  for (std::ptrdiff_t row = 0; row < layer.n_out; ++row) {
    for (std::ptrdiff_t i = 0; i < n_in; ++i)
      CHECK(std::abs(static_cast<double>(got[static_cast<std::size_t>(row * stride + i)]) -
                     want[static_cast<std::size_t>(row * n_in + i)]) <= bound);
    for (std::ptrdiff_t i = n_in; i < stride; ++i) CHECK(got[static_cast<std::size_t>(row * stride + i)] == -1.0f);
  }
}

TEST_CASE("A tile decodes to the same weights of the whole", "[kernels][property]") {
  const PackedRandomLayer layer({2, 6, 8, 1}, 11, 37, 5);
  std::vector<float> whole(11 * 37), part(4 * 20);
  Dequantize::run(layer.packed, 0, 11, 0, 37, whole.data(), 37);
  Dequantize::run(layer.packed, 5, 9, 13, 33, part.data(), 20);
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t i = 0; i < 20; ++i) CHECK(part[r * 20 + i] == whole[(r + 5) * 37 + i + 13]);
}
