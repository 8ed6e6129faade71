#include "llama/packed_level_linear.hpp"  // first: proves the header stands alone
#include "llama/linear.hpp"

#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/far_mirror_no_zero.hpp>
#include <basin/levels/lloyd_max.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/normal_float.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>
#include <basin/pipeline/store.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/levels.hpp"
#include "support/random.hpp"

using basin::Index;
using llama::Matrix;

namespace {
template <class Levels>
std::vector<float> values_of() {
  return {Levels::values.begin(), Levels::values.end()};
}
basin::LevelLayer random_layer(Index n_out, Index n_in, std::vector<float> levels, bool with_zero_points = false) {
  basin::test::Rng rng(3);
  basin::LevelWeight<float> weight = basin::test::random_levels(n_out, n_in, std::move(levels), false, rng);
  if (with_zero_points) weight.zero_points = basin::Vector<float>::Ones(n_out);
  basin::round_to_half(weight);
  return basin::store(weight);
}
}  // namespace

TEST_CASE("Integer products of a layer of scalar levels are those of its decoded weight", "[examples][reference]") {
  const auto levels = GENERATE(values_of<basin::MirrorNoZero>(), values_of<basin::PowerOfTwoMirrorNoZero>(), values_of<basin::FarMirrorNoZero>(),
                               values_of<basin::SymmetricInteger<2>>(), values_of<basin::Ternary>());
  const llama::RunFormat format{.rotation_seed = GENERATE(std::optional<std::uint64_t>(), std::optional<std::uint64_t>(5)),
                                .activation_bits = GENERATE(8, 4)};
  // Rows that end inside a block of 64, few tokens and many, with threads from 8 on.
  const Index tokens = GENERATE(1, 3, 8, 9, 33), n_in = 300, n_out = 1900;
  CAPTURE(levels, format.rotation_seed.has_value(), format.activation_bits, tokens);
  const basin::LevelLayer stored = random_layer(n_out, n_in, levels);
  const Matrix weight = basin::load<float>(stored).decode();
  const llama::InputPath path(n_in, format);
  basin::test::Rng rng(4);
  const Matrix x = basin::test::normal_matrix<float>(tokens, n_in, rng);
  basin::test::Threads threads{3};
  Matrix want, got, alone;
  llama::Linear(weight, path).apply(x, want, threads);
  const llama::Linear packed(llama::PackedLevelLinear(stored, llama::best_kernels()), path);
  packed.apply(x, got, threads);
  packed.apply(x, alone, {});
  CHECK(alone == got);

  // The same rounded inputs: fp32 sums of n_in products, each with three roundings, beside two roundings of exact sums.
  llama::LayerInputs inputs(x, {});
  const Matrix magnitudes = inputs.values(path).cwiseAbs() * weight.cwiseAbs().transpose();
  REQUIRE(got.rows() == tokens);
  REQUIRE(got.cols() == n_out);
  CHECK(((got - want).array().abs() <= float(n_in + 6) * 0x1p-24f * magnitudes.array()).all());
}

TEST_CASE("Levels become small integers where they can", "[examples][reference]") {
  using Integers = std::array<std::int8_t, 4>;
  const auto check = [](std::vector<float> levels, Integers want, float unit) {
    CAPTURE(levels);
    const auto integers = llama::integer_levels(random_layer(2, 4, levels));
    REQUIRE(integers);
    CHECK(integers->values == want);
    CHECK(integers->unit == unit);
  };
  check(values_of<basin::MirrorNoZero>(), {-3, -1, 1, 3}, 0.5f);
  check(values_of<basin::PowerOfTwoMirrorNoZero>(), {-4, -1, 1, 4}, 1);
  check(values_of<basin::SymmetricInteger<2>>(), {-2, -1, 0, 1}, 1);
  check(values_of<basin::Ternary>(), {-1, 0, 1, 2}, 1);
  check({-1.75f, -0.125f}, {-14, -1, 0, 1}, 0.125f);
  check({0, 5, 10, 15}, {0, 5, 10, 15}, 1);
}

TEST_CASE("Layers that the integer kernels cannot hold are refused by name", "[examples][bad-input]") {
  using basin::test::contains_text;
  const auto check = [](const basin::LevelLayer& layer) {
    CAPTURE(layer.levels);
    CHECK_FALSE(llama::integer_levels(layer));
    CHECK_THROWS_WITH(llama::PackedLevelLinear(layer, llama::best_kernels()),
                      contains_text("[2, 4]") && contains_text("small integers") && contains_text("--product dense"));
  };
  check(random_layer(2, 4, values_of<basin::LloydMax>()));
  check(random_layer(2, 4, values_of<basin::NormalFloat2>()));
  check(random_layer(2, 4, values_of<basin::SymmetricInteger<3>>()));
  check(random_layer(2, 4, values_of<basin::AsymmetricInteger<2>>(), true));
  check(random_layer(2, 4, {-8, -1, 1, 8}));   // 16 apart
  check(random_layer(2, 4, {-16, -8, -4, -2}));  // below -15
  basin::LevelLayer wide = random_layer(1, 4, values_of<basin::MirrorNoZero>());
  wide.n_in = (Index{1} << 20) + 1;
  wide.codes.assign(static_cast<std::size_t>(wide.n_in), 0);
  CHECK(llama::integer_levels(wide));
  CHECK_THROWS_WITH(llama::PackedLevelLinear(wide, llama::best_kernels()), contains_text("[1, 1048577]") && contains_text("2^20"));
}
