#include <basin/pipeline/mixed_precision.hpp>  // first: proves the header stands alone

#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::MixedPrecision;
using basin::PrecisionCandidate;
using basin::test::contains_text;

namespace {
std::vector<PrecisionCandidate> candidates(std::vector<double> sensitivities, double weights = 10) {
  std::vector<PrecisionCandidate> all;
  for (const double s : sensitivities) all.push_back({"block " + std::to_string(all.size()), weights, 2, 4, s});
  return all;
}

/// The least sum of sensitivities that any choice within a budget leaves.
double least_sensitivity(const std::vector<PrecisionCandidate>& all, double bits_per_weight) {
  double least = std::numeric_limits<double>::infinity();
  for (unsigned choice = 0; choice < 1u << all.size(); ++choice) {
    double weights = 0, bits = 0, left = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool high = (choice >> i & 1) != 0;
      weights += all[i].weights;
      bits += all[i].weights * (high ? all[i].high_bits : all[i].low_bits);
      if (!high) left += all[i].sensitivity;
    }
    if (bits <= bits_per_weight * weights * (1 + 1e-12)) least = std::min(least, left);
  }
  return least;
}
}  // namespace

TEST_CASE("most_sensitive gives many bits to those that lose most", "[pipeline][reference]") {
  const auto all = candidates({0.1, 0.4, 0.4, 0.05, 0.2});
  const MixedPrecision chosen = basin::most_sensitive(all, 2);
  CHECK(chosen.is_high == std::vector<bool>{false, true, true, false, false});
  CHECK(chosen.order == std::vector<std::size_t>{1, 2, 4, 0, 3});
  CHECK(chosen.num_high() == 2);
  CHECK(chosen.bits_per_weight == Approx(2.8));
  CHECK(chosen.sensitivity == Approx(0.35));
  CHECK(basin::most_sensitive(all, 0).bits_per_weight == 2);
  CHECK(basin::most_sensitive(all, 5).bits_per_weight == 4);
  CHECK(basin::most_sensitive(candidates({1, 2, 3, 4}), 2).bits_per_weight == 3);  // half W4, half W2
}

TEST_CASE("Gains count per bit: a large candidate must gain more", "[pipeline][reference]") {
  auto all = candidates({1, 1.5, 0.5});
  all[1].weights = 40;
  CHECK(basin::most_sensitive(all, 1).order == std::vector<std::size_t>{0, 2, 1});
}

TEST_CASE("within_budget spends what it may and is optimal for candidates of equal size", "[pipeline][property]") {
  basin::test::Rng rng(5);
  for (int round = 0; round < 20; ++round) {
    const auto drawn = basin::test::normal_vector<double>(8, rng);
    auto all = candidates({});
    for (const double value : drawn) all.push_back({"c", 7, 2.1, 4.3, value * value});
    for (const double budget : {2.1, 2.5, 3.2, 4.0, 4.3, 9.0}) {
      CAPTURE(round, budget);
      const MixedPrecision chosen = basin::within_budget(all, budget);
      CHECK(chosen.bits_per_weight <= budget * (1 + 1e-12));
      CHECK(chosen.sensitivity == Approx(least_sensitivity(all, budget)).margin(1e-12));
    }
    double largest = 0;
    for (auto& c : all) {
      c.weights = 1 + round + static_cast<double>(&c - all.data());
      largest = std::max(largest, c.sensitivity);
    }
    const MixedPrecision chosen = basin::within_budget(all, 3);
    CHECK(chosen.bits_per_weight <= 3 * (1 + 1e-12));
    CHECK(chosen.sensitivity <= least_sensitivity(all, 3) + largest);
  }
}

TEST_CASE("loss_difference adds up what the layers of a block lose", "[pipeline][reference]") {
  std::vector<basin::QuantizationReport> low(2), high(2);
  low[0].relative_error = 0.05;
  low[1].relative_error = 0.02;
  high[0].relative_error = 0.01;
  high[1].relative_error = 0.005;
  CHECK(basin::loss_difference(low, high) == Approx(0.055));
  high.pop_back();
  CHECK_THROWS_WITH(basin::loss_difference(low, high), contains_text("got 2 at few and 1 at many bits"));
}

TEST_CASE("Mixed precision refuses what cannot be ranked", "[pipeline][bad-input]") {
  const auto all = candidates({1, 2});
  CHECK_THROWS_WITH(basin::most_sensitive(all, 3), contains_text("[0, 2], got 3"));
  CHECK_THROWS_AS(basin::most_sensitive(all, -1), basin::ValueError);
  CHECK_THROWS_AS(basin::most_sensitive({}, 0), basin::ValueError);
  CHECK_THROWS_WITH(basin::within_budget(all, 1.9), contains_text("1.9 bits per weight are less than the 2 "));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(basin::within_budget(all, nan), basin::ValueError);
  for (const double bad : {nan, -1.0, std::numeric_limits<double>::infinity()})
    CHECK_THROWS_WITH(basin::most_sensitive(candidates({1, bad}), 1), contains_text("sensitivity of \"block 1\""));
  auto flat = candidates({1, 2});
  flat[1].high_bits = flat[1].low_bits;
  CHECK_THROWS_WITH(basin::most_sensitive(flat, 1), contains_text("\"block 1\""));
  flat[1].high_bits = nan;
  CHECK_THROWS_AS(basin::most_sensitive(flat, 1), basin::ValueError);
}
