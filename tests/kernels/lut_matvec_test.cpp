#include <basin/kernels/lut_matvec.hpp>  // first: proves the header stands alone



#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/random_layer.hpp"
#include "support/catch.hpp"

using Matvec = basin::kernels::LutMatvec<basin::kernels::scalar>;
using basin::test::random_layer;
using basin::test::reference_weight;

TEST_CASE("LutMatvec stays within its bound of the dense product", "[kernels][reference]") {
  const auto [codebooks, bits, g] = GENERATE(table<int, int, int>({{1, 1, 1}, {2, 8, 8}, {3, 5, 4}, {8, 4, 16}, {1, 12, 8}}));
  const std::ptrdiff_t n_in = GENERATE(1, 9, 64, 131);
  CAPTURE(codebooks, bits, g, n_in);
  const basin::AdditiveLayer layer = random_layer({codebooks, bits, g, 1}, 13, n_in, 7);
  const basin::AdditiveView view = basin::view(layer);
  basin::SplitMix64 random(9);
  std::vector<float> x;
  for (std::ptrdiff_t i = 0; i < n_in; ++i) x.push_back(static_cast<float>(random.normal()));
  std::vector<float> table(static_cast<std::size_t>(basin::kernels::lut_size(view))), y(13);
  Matvec::build_lut(view, x.data(), table.data());
  Matvec::run(view, table.data(), 0, 13, y.data());

  const std::vector<double> weight = reference_weight(layer);
  const std::ptrdiff_t groups = layer.num_in_groups();
  for (std::ptrdiff_t o = 0; o < 13; ++o) {
    double want = 0, magnitude = 0;
    for (std::ptrdiff_t i = 0; i < n_in; ++i) {
      want += weight[static_cast<std::size_t>(o * n_in + i)] * static_cast<double>(x[static_cast<std::size_t>(i)]);
      for (std::ptrdiff_t m = 0; m < codebooks; ++m) {
        const auto code = layer.codes[static_cast<std::size_t>((o * groups + i / g) * codebooks + m)];
        const auto value = layer.codebooks[static_cast<std::size_t>((m * layer.scheme.codebook_size() + code) * g + i % g)];
        magnitude += std::abs(static_cast<double>(basin::half_to_float(value)) * static_cast<double>(x[static_cast<std::size_t>(i)]));
      }
    }
    const double scale = static_cast<double>(basin::half_to_float(layer.scales[static_cast<std::size_t>(o)]));
    const double bound = 2 * static_cast<double>(n_in + codebooks * groups + 8) * 0x1p-24 * scale * magnitude;
    CHECK(std::abs(static_cast<double>(y[static_cast<std::size_t>(o)]) - want) <= bound);
  }
}

TEST_CASE("Rows of a range equal the same rows of the whole, and zero inputs give zero", "[kernels][property]") {
  const basin::AdditiveLayer layer = random_layer({2, 6, 8, 1}, 11, 40, 5);
  const basin::AdditiveView view = basin::view(layer);
  std::vector<float> x(40, 0.5f), table(static_cast<std::size_t>(basin::kernels::lut_size(view))), whole(11), part(4);
  Matvec::build_lut(view, x.data(), table.data());
  Matvec::run(view, table.data(), 0, 11, whole.data());
  Matvec::run(view, table.data(), 5, 9, part.data());
  CHECK(part == std::vector<float>(whole.begin() + 5, whole.begin() + 9));
  x.assign(40, 0.0f);
  Matvec::build_lut(view, x.data(), table.data());
  Matvec::run(view, table.data(), 0, 11, whole.data());
  CHECK(whole == std::vector<float>(11, 0.0f));
}
