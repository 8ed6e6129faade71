#include <basin/codebook/level_scales.hpp>
#include <basin/init/fixed_levels.hpp>
#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/pipeline/best_of.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/search/round_to_nearest.hpp>
#include <basin/transform/hadamard.hpp>

#include <array>
#include <string_view>
#include <tuple>

#include "support/catch.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using namespace basin;
using Catch::Matchers::WithinRel;

namespace host {
struct Halves {
  static constexpr std::string_view name = "halves";
  static constexpr std::array<float, 3> values{-1.0f, 0.5f, 1.0f};
};
}  // namespace host

namespace {
using Sets = std::tuple<MirrorNoZero, SymmetricInteger<2>, SymmetricInteger<4>, AsymmetricInteger<2>, host::Halves>;
}  // namespace

TEMPLATE_LIST_TEST_CASE("The quantizer runs on scalar levels", "[pipeline][property]",
                        Sets) {
  test::Rng rng(1);
  auto made = test::synthetic_layer(32, 43, rng);  // no group divides it
  made.weight.row(3).setZero();
  const Quantizer quantizer(EuclideanBlocks{}, FixedLevels{}, RoundToNearest{}, LevelScales{}, {.max_epochs = 5, .tolerance = 0});
  const auto [weight, report] = quantizer.quantize(made.weight.cast<float>(), made.hessian, TestType{});
  CHECK(report.scheme == TestType::name);
  CHECK(weight.n_in() == 43);
  CHECK(report.relative_error < report.relative_error_after_init);
  CHECK(report.rho == 0);
  for (std::size_t i = 1; i + 1 < report.loss_trace.size(); ++i) CHECK(report.loss_trace[i] <= report.loss_trace[i - 1] * (1 + 1e-5));
  // What is reported is what is stored.
  const LayerObjective<float> layer(made.weight.cast<float>(), made.hessian, 1);
  CHECK_THAT(report.relative_error, WithinRel(layer.relative_error(layer.loss(weight.decode())), 1e-12));
  for (Index o = 0; o < 32; ++o) CHECK(weight.scales(o) == round_to_half(weight.scales(o)));
  CHECK(weight.decode().row(3).isZero(0));
  CHECK(report.bits_per_weight.codes == (TestType::values.size() == 16 ? 4 : 2));
}

TEST_CASE("More levels leave less error, and mirrored ones less than integers", "[pipeline][property]") {
  test::Rng rng(2);
  const auto made = test::synthetic_layer(64, 64, rng);
  const Quantizer quantizer(EuclideanBlocks{}, FixedLevels{}, RoundToNearest{}, LevelScales{});
  const auto error = [&](const auto& levels) {
    return quantizer.quantize(made.weight.cast<float>(), made.hessian, levels).report.relative_error;
  };
  CHECK(error(SymmetricInteger<4>{}) < error(SymmetricInteger<3>{}));
  CHECK(error(SymmetricInteger<3>{}) < error(MirrorNoZero{}));
  CHECK(error(MirrorNoZero{}) < error(SymmetricInteger<2>{}));
}

TEST_CASE("An initializer of levels may have a metric of its own", "[pipeline][property]") {
  test::Rng rng(3);
  const auto made = test::synthetic_layer(8, 12, rng);
  const Matrix<float> w = made.weight.cast<float>();
  const Quantizer plain(EuclideanBlocks{}, FixedLevels{}, RoundToNearest{}, LevelScales{});
  const Quantizer wrapped(EuclideanBlocks{}, OnMetric(EuclideanBlocks{}, FixedLevels{}), RoundToNearest{}, LevelScales{});
  CHECK(plain.quantize(w, made.hessian, MirrorNoZero{}).weight.codes == wrapped.quantize(w, made.hessian, MirrorNoZero{}).weight.codes);
}

TEST_CASE("A rotation helps levels on rows with outliers, and is undone at run time", "[pipeline][property]") {
  test::Rng rng(4);
  auto made = test::synthetic_layer(32, 64, rng);
  made.hessian = Matrix<double>::Identity(64, 64);
  made.weight.col(9) *= 12;
  const Matrix<float> w = made.weight.cast<float>();
  const HadamardTransform rotation(64, {.sign_seed = 1});
  const Quantizer plain(EuclideanBlocks{}, FixedLevels{}, RoundToNearest{}, LevelScales{});
  const Quantizer rotated(EuclideanBlocks{}, FixedLevels{}, RoundToNearest{}, LevelScales{}, {}, rotation);
  const auto [weight, report] = rotated.quantize(w, made.hessian, MirrorNoZero{});
  CHECK(report.relative_error < 0.5 * plain.quantize(w, made.hessian, MirrorNoZero{}).report.relative_error);
  Matrix<float> decoded = weight.decode();
  rotation.invert(decoded);
  CHECK_THAT((decoded - w).cast<double>().squaredNorm() / w.cast<double>().squaredNorm(), WithinRel(report.relative_error, 1e-4));
}
