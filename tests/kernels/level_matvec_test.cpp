#include <basin/kernels/level_matvec.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/level_product.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/random_levels.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"
#include "support/guarded.hpp"

using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;
using basin::test::Activations;
using basin::test::level_product;
using basin::test::level_reference;
using basin::test::LevelReference;
using basin::test::LevelSet;
using basin::test::level_sets;
using basin::test::normal_inputs;
using basin::test::RandomLevels;

namespace {
const KernelSet& plain() { return basin::kernels::available_kernels().front(); }
}  // namespace

TEST_CASE("LevelMatvec stays within its bound and gives the scalar path's bits", "[kernels][reference]") {
  const LevelSet set = GENERATE(from_range(std::begin(level_sets), std::end(level_sets)));
  const auto [n_out, n_in, batch] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t>(
      {{1, 1, 1}, {15, 16, 2}, {64, 17, 3}, {65, 63, 1}, {130, 256, 7}, {70, 333, 8}, {200, 1025, 1}, {64, 2048, 4}}));
  const ActivationFormat format = GENERATE(ActivationFormat{}, ActivationFormat{4, 0.9f, 0}, ActivationFormat{8, 0.95f, 128}, ActivationFormat{4, 1, 16},
                                           ActivationFormat{8, 1, 48});
  CAPTURE(set.name, n_out, n_in, batch, format.bits, format.group);
  const RandomLevels layer(set, n_out, n_in, 7);
  REQUIRE(layer.packed.codes != nullptr);
  const std::vector<float> x = normal_inputs(batch * n_in, 9);
  const Activations scalar_x(plain().activations, format, x, n_in, batch);
  const LevelReference want = level_reference(layer, scalar_x);
  const std::vector<float> scalar = level_product(plain(), false, layer.packed, scalar_x, 0, n_out);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const std::vector<float> y = level_product(kernels, false, layer.packed, Activations(kernels.activations, format, x, n_in, batch), 0, n_out);
    std::ptrdiff_t outside = 0;
    for (std::size_t i = 0; i < y.size(); ++i) outside += !(std::abs(static_cast<double>(y[i]) - want.y[i]) <= want.bound[i]);
    CHECK(outside == 0);
    CHECK(y == scalar);
  }
}

TEST_CASE("A range of rows gives the bits of the whole", "[kernels][property]") {
  const LevelSet set = GENERATE(from_range(level_sets, level_sets + 2));
  const std::ptrdiff_t n_out = 330, n_in = 100, batch = 5;
  const RandomLevels layer(set, n_out, n_in, 5);
  const std::vector<float> inputs = normal_inputs(batch * n_in, 6);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Activations x(kernels.activations, {}, inputs, n_in, batch);
    for (const bool is_matmul : {false, true}) {
      const std::vector<float> whole = level_product(kernels, is_matmul, layer.packed, x, 0, n_out);
      for (const auto& [first, last] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 1}, {7, 9}, {63, 65}, {64, 128}, {127, 300}, {329, 330}, {40, 40}}) {
        const std::vector<float> part = level_product(kernels, is_matmul, layer.packed, x, first, last);
        bool same = true;
        for (std::ptrdiff_t v = 0; v < batch; ++v)
          for (std::ptrdiff_t r = first; r < last; ++r)
            same &= part[static_cast<std::size_t>(v * (last - first) + r - first)] == whole[static_cast<std::size_t>(v * n_out + r)];
        CHECK(same);
      }
    }
  }
}

TEST_CASE("Integer sums of levels are exact at the largest size", "[kernels][property]") {
  // A row has one code, and every input is the largest or smallest there is: sums of bytes and of words are at their limits,
  // in every bit position of a byte.
  const LevelSet set = GENERATE(from_range(std::begin(level_sets), std::end(level_sets)));
  const std::ptrdiff_t n_out = 64, n_in = basin::PackedLevels::max_inputs, row_bytes = n_in / 4;
  std::vector<std::uint8_t> codes;
  for (int o = 0; o < n_out; ++o) codes.insert(codes.end(), static_cast<std::size_t>(row_bytes), static_cast<std::uint8_t>(o % 4 * 0x55));
  const std::vector<float> scales(static_cast<std::size_t>(n_out), 1.0f);
  basin::LevelView view{n_out, n_in, {}, codes.data(), scales.data()};
  std::copy(std::begin(set.levels), std::end(set.levels), view.levels);
  const basin::test::AlignedBytes memory(basin::packed_levels_bytes(n_out, n_in));
  const basin::PackedLevels packed = basin::pack_levels(view, memory.span()).layer;
  REQUIRE(packed.codes != nullptr);
  for (const KernelSet& kernels : basin::test::tested_kernels())
    for (const float sign : {1.0f, -1.0f}) {
      CAPTURE(kernels.arch, set.name, sign);
      // Clipping takes all inputs to the limit of their side.
      const Activations x(kernels.activations, {8, 0.5f, 0}, std::vector<float>(static_cast<std::size_t>(n_in), sign), n_in, 1);
      const int q = sign > 0 ? 127 : -128;
      REQUIRE(x.view().values[0] == q);
      REQUIRE(x.view().values[n_in - 1] == q);
      for (const bool is_matmul : {false, true})
        for (const std::ptrdiff_t first : {0, 16, 32, 48}) {
          const std::vector<float> y = level_product(kernels, is_matmul, packed, x, first, first + 4);
          for (std::size_t k = 0; k < 4; ++k) CHECK(y[k] == static_cast<float>(std::int64_t{set.levels[k]} * q * n_in) * x.view().steps[0]);
        }
    }
}

TEST_CASE("Products of levels read nothing behind their memory", "[kernels][property]") {
  for (const std::ptrdiff_t n_out : {1, 65})
    for (const std::ptrdiff_t n_in : {1, 30, 257}) {
      const RandomLevels layer(level_sets[0], n_out, n_in, 3);
      const std::vector<float> inputs = normal_inputs(3 * n_in, 4);
      const basin::test::GuardedBytes memory(layer.memory.size()), x(3 * static_cast<std::size_t>(n_in) * sizeof(float));
      std::memcpy(memory.data(), layer.memory.data(), layer.memory.size());
      std::memcpy(x.data(), inputs.data(), inputs.size() * sizeof(float));
      const basin::PackedLevels packed = basin::open_packed_levels(memory.span()).layer;
      REQUIRE(packed.codes != nullptr);
      const ActivationFormat format;
      const std::size_t size = (basin::kernels::activation_bytes(format, n_in, 3) + 63) / 64 * 64;
      const basin::test::GuardedBytes workspace(size);
      const Activations want_x(plain().activations, format, inputs, n_in, 3);
      const std::vector<float> want = level_product(plain(), false, layer.packed, want_x, 0, n_out);
      for (const KernelSet& kernels : basin::test::tested_kernels()) {
        CAPTURE(kernels.arch, n_out, n_in);
        kernels.activations.run(format, reinterpret_cast<const float*>(x.data()), n_in, n_in, 3, 0, 3, workspace.data());
        std::vector<float> y(want.size());
        kernels.level_matvec(packed, format, workspace.data(), 3, 0, n_out, y.data(), n_out);
        CHECK(y == want);
        const basin::test::GuardedBytes scratch((kernels.level_matmul.scratch_size(3) + 63) / 64 * 64);
        kernels.level_matmul.run(packed, format, workspace.data(), 3, 0, n_out, y.data(), n_out, scratch.data());
        CHECK(y == want);
      }
    }
}

TEST_CASE("Zero, tiny and non-finite activations of a product of levels", "[kernels][property]") {
  const ActivationFormat format = GENERATE(ActivationFormat{}, ActivationFormat{4, 0.9f, 32});
  const std::ptrdiff_t n_out = 70, n_in = 200, batch = 4;
  const RandomLevels layer(level_sets[1], n_out, n_in, 8);
  const std::vector<float> normal = normal_inputs(batch * n_in, 6);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch, format.bits);
    const auto product = [&](const std::vector<float>& x) {
      const Activations activations(kernels.activations, format, x, n_in, batch);
      const std::vector<float> y = level_product(kernels, false, layer.packed, activations, 0, n_out);
      const std::vector<float> matmul = level_product(kernels, true, layer.packed, activations, 0, n_out);
      for (std::size_t i = 0; i < y.size(); ++i) CHECK((y[i] == matmul[i] || (std::isnan(y[i]) && std::isnan(matmul[i]))));
      return y;
    };
    CHECK(product(std::vector<float>(normal.size(), 0.0f)) == std::vector<float>(static_cast<std::size_t>(batch * n_out), 0.0f));
    for (const float value : product(std::vector<float>(normal.size(), 1e-45f))) CHECK(value == 0.0f);
    for (const float value : product(std::vector<float>(normal.size(), 1e34f))) CHECK(std::isfinite(value));
    const std::vector<float> want = product(normal);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
      for (const std::ptrdiff_t at : {0, 199}) {
        std::vector<float> x = normal;
        x[static_cast<std::size_t>(2 * n_in + at)] = bad;
        const std::vector<float> y = product(x);
        for (std::ptrdiff_t v = 0; v < batch; ++v)
          for (std::ptrdiff_t o = 0; o < n_out; ++o) {
            const auto i = static_cast<std::size_t>(v * n_out + o);
            CHECK((v == 2 ? std::isnan(y[i]) : y[i] == want[i]));
          }
      }
  }
}
