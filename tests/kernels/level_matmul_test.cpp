#include <basin/kernels/level_matmul.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <vector>

#include "kernels/level_product.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/random_levels.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"

using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;
using basin::test::Activations;
using basin::test::level_product;
using basin::test::level_sets;
using basin::test::LevelSet;
using basin::test::normal_inputs;
using basin::test::RandomLevels;

TEST_CASE("LevelMatmul gives the scalar path's bits for any number of tokens", "[kernels][reference]") {
  const LevelSet set = GENERATE(from_range(level_sets, level_sets + 5));
  const auto [n_out, n_in, batch] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t>(
      {{1, 1, 1}, {64, 17, 2}, {65, 63, 3}, {130, 512, 4}, {70, 530, 5}, {40, 1100, 6}, {66, 256, 13}, {17, 48, 33}}));
  const ActivationFormat format = GENERATE(ActivationFormat{}, ActivationFormat{4, 0.9f, 0}, ActivationFormat{8, 1, 128}, ActivationFormat{8, 1, 1040},
                                           ActivationFormat{4, 1, 16});
  CAPTURE(set.name, n_out, n_in, batch, format.bits, format.group);
  const RandomLevels layer(set, n_out, n_in, 17);
  const KernelSet& plain = basin::kernels::available_kernels().front();
  const Activations x(plain.activations, format, normal_inputs(batch * n_in, 9), n_in, batch);
  const std::vector<float> scalar = level_product(plain, true, layer.packed, x, 0, n_out);
  const std::vector<float> matvec = level_product(plain, false, layer.packed, x, 0, n_out);
  CHECK(scalar == matvec);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    CHECK(level_product(kernels, true, layer.packed, x, 0, n_out) == scalar);
  }
}

TEST_CASE("More tokens than are in flight at once", "[kernels][property]") {
  const std::ptrdiff_t n_out = 40, n_in = 24, batch = 1100;
  const RandomLevels layer(level_sets[1], n_out, n_in, 5);
  const std::vector<float> inputs = normal_inputs(batch * n_in, 6);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const std::vector<float> whole = level_product(kernels, true, layer.packed, Activations(kernels.activations, {}, inputs, n_in, batch), 0, n_out);
    const std::vector<float> last(inputs.end() - n_in, inputs.end());
    CHECK(level_product(kernels, true, layer.packed, Activations(kernels.activations, {}, last, n_in, 1), 0, n_out) ==
          std::vector<float>(whole.end() - n_out, whole.end()));
  }
}
