#include <basin/pipeline/plan.hpp>  // first: proves the header stands alone
#include <basin/layout/additive_layer.hpp>
#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/pipeline/recipes.hpp>
#include <basin/pipeline/store.hpp>

#include <chrono>
#include <cmath>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::LayerShape;
using basin::MeasuredCost;
using basin::RhoRegime;
using basin::Scheme;
using basin::test::contains_text;

TEST_CASE("A plan tells the bits that a quantized layer then takes", "[pipeline][reference]") {
  basin::test::Rng rng(3);
  const basin::Matrix<float> w = basin::test::normal_matrix<float>(12, 20, rng);
  const basin::Matrix<double> h = basin::test::spd_matrix<double>(20, 10, rng);
  const LayerShape shape{"layer", 12, 20};
  const Scheme scheme{2, 3, 8};
  const auto additive = basin::recipes::recommended({.max_epochs = 1}).quantize(w, h, scheme);
  const basin::PlannedLayer planned = basin::plan_layer(shape, scheme);
  CHECK(planned.codomain == "2x3g8");
  CHECK(planned.bits_per_weight.total() == Approx(additive.report.bits_per_weight.total()));
  CHECK(planned.rho == additive.report.rho);
  CHECK(planned.stored_bytes == static_cast<std::int64_t>(std::ceil(additive.report.bits_per_weight.total() * 12 * 20 / 8)));
  const auto levels = [&](const auto& set) {
    const auto result = basin::recipes::qift(20, {.max_epochs = 0}).quantize(w, h, set);
    CHECK(basin::plan_layer(shape, set).bits_per_weight.total() == Approx(result.report.bits_per_weight.total()));
    CHECK(basin::plan_layer(shape, set).rho == 0);
  };
  levels(basin::MirrorNoZero{});
  levels(basin::AsymmetricInteger<2>{});
  levels(basin::SymmetricInteger<4>{});
}

TEST_CASE("A plan adds up", "[pipeline][property]") {
  const std::vector<LayerShape> shapes{{"a", 4096, 4096}, {"b", 64, 64}};
  const basin::QuantizationPlan plan = basin::plan(shapes, Scheme{2, 8, 8});
  REQUIRE(plan.layers.size() == 2);
  CHECK(plan.weights() == 4096.0 * 4096 + 64 * 64);
  CHECK(plan.stored_bytes() == plan.layers[0].stored_bytes + plan.layers[1].stored_bytes);
  CHECK(plan.bits_per_weight() == Approx(8.0 * double(plan.stored_bytes()) / plan.weights()));
  CHECK(plan.working_bytes() == plan.layers[0].working_bytes);
  CHECK(plan.seconds() == 0);
  CHECK(basin::rho_regime(plan.layers[0].rho) == RhoRegime::under_complete);  // 2^21 groups, 2^16 tuples
  CHECK(plan.layers[0].rho == 32);
  CHECK(basin::rho_regime(plan.layers[1].rho) == RhoRegime::over_complete);
  CHECK(to_string(RhoRegime::under_complete) == "under-complete");
}

namespace {
/// Time that only work makes pass.
struct FakeClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<FakeClock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static inline time_point current{};
  static time_point now() { return current; }
};
}  // namespace

TEST_CASE("Measured cost finds a line in the rows and a power law in the inputs", "[pipeline][property]") {
  // 2 ms and 50 us a row at 16 inputs; the square of that in the inputs.
  const auto microseconds = [](Index n_out, Index n_in) { return (2000 + 50 * n_out) * n_in * n_in / 256; };
  const auto quantize = [&](Index n_out, Index n_in) { FakeClock::current += std::chrono::microseconds(microseconds(n_out, n_in)); };
  const std::vector<LayerShape> shapes{{"a", 1000, 16}, {"b", 10, 16}, {"c", 500, 32}, {"d", 2000, 64}};
  const FakeClock::time_point begin = FakeClock::now();
  const MeasuredCost cost = MeasuredCost::measure<FakeClock>(shapes, quantize, 0.5);
  CHECK(FakeClock::now() - begin < std::chrono::milliseconds(600));
  for (const LayerShape& shape : shapes) {
    CAPTURE(shape.name);
    CHECK(cost.seconds(shape.n_out, shape.n_in) == Approx(1e-6 * double(microseconds(shape.n_out, shape.n_in))).epsilon(1e-6));
  }
  CHECK(cost.on_threads(4).seconds(500, 32) == Approx(cost.seconds(500, 32) / 4));
  const basin::QuantizationPlan plan = basin::plan(shapes, basin::MirrorNoZero{}, &cost);
  CHECK(plan.seconds() == Approx(cost.seconds(1000, 16) + cost.seconds(10, 16) + cost.seconds(500, 32) + cost.seconds(2000, 64)));
}

TEST_CASE("Plans of nothing are refused", "[pipeline][bad-input]") {
  CHECK_THROWS_WITH(MeasuredCost::measure({}, [](Index, Index) {}), contains_text("no layers"));
  const std::vector<LayerShape> empty{{"q_proj", 0, 16}};
  CHECK_THROWS_WITH(MeasuredCost::measure(empty, [](Index, Index) {}), contains_text("q_proj") && contains_text("[0, 16]"));
  CHECK_THROWS_WITH(basin::plan_layer(empty[0], Scheme{}), contains_text("q_proj"));
  CHECK_THROWS_WITH(basin::plan_layer({"a", 8, 8}, Scheme{9, 8, 8}), contains_text("9x8g8"));
}
