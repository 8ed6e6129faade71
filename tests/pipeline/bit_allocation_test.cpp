#include <basin/pipeline/bit_allocation.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::allocate_bits;
using basin::BitAllocation;
using basin::RatedLayer;
using basin::test::contains_text;

namespace {
std::vector<RatedLayer> random_layers(int count, std::int64_t largest, basin::test::Rng& rng) {
  std::vector<RatedLayer> layers;
  for (int i = 0; i < count; ++i) {
    RatedLayer& layer = layers.emplace_back(RatedLayer{"layer " + std::to_string(i), {}});
    for (std::int64_t p = 0; p < 1 + static_cast<std::int64_t>(rng.below(4)); ++p)
      layer.points.push_back({static_cast<std::int64_t>(rng.below(largest)), rng.uniform()});
  }
  return layers;
}

/// The least error of all choices within a budget; infinity where there is none.
double least_error(const std::vector<RatedLayer>& layers, std::int64_t budget, std::size_t at = 0) {
  if (budget < 0) return std::numeric_limits<double>::infinity();
  if (at == layers.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& point : layers[at].points) least = std::min(least, point.error + least_error(layers, budget - point.bits, at + 1));
  return least;
}

void check_sums(const std::vector<RatedLayer>& layers, const BitAllocation& found) {
  std::int64_t bits = 0;
  double error = 0;
  REQUIRE(found.choice.size() == layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    bits += layers[i].points.at(found.choice[i]).bits;
    error += layers[i].points[found.choice[i]].error;
  }
  CHECK(found.bits == bits);
  CHECK(found.error == Approx(error).margin(1e-12));
}
}  // namespace

TEST_CASE("allocate_bits finds what trying all choices finds", "[pipeline][reference]") {
  basin::test::Rng rng(21);
  int feasible = 0;
  for (int round = 0; round < 60; ++round) {
    const auto layers = random_layers(1 + round % 6, round % 2 == 0 ? 12 : 1000000, rng);
    for (const std::int64_t budget : {0, 5, 20, 40, 400000, 1500000, 5000000}) {
      CAPTURE(round, budget);
      const double want = least_error(layers, budget);
      if (std::isinf(want)) {
        CHECK_THROWS_AS(allocate_bits(layers, budget), basin::ValueError);
        continue;
      }
      ++feasible;
      const BitAllocation found = allocate_bits(layers, budget);
      check_sums(layers, found);
      CHECK(found.bits <= budget);
      CHECK(found.error == Approx(want).margin(1e-12));
    }
  }
  CHECK(feasible > 100);
}

TEST_CASE("A larger budget never loses more, and a coarser count keeps the budget", "[pipeline][property]") {
  basin::test::Rng rng(22);
  const auto layers = random_layers(12, 1000, rng);
  double last = std::numeric_limits<double>::infinity();
  for (std::int64_t budget = 6000; budget <= 12000; budget += 500) {
    const double exact = allocate_bits(layers, budget).error;
    CHECK(exact <= last);
    last = exact;
    for (const std::int64_t granularity : {7, 100}) {
      const BitAllocation coarse = allocate_bits(layers, budget, granularity);
      check_sums(layers, coarse);
      CHECK(coarse.bits <= budget);
      CHECK(coarse.error >= exact - 1e-12);
      const std::int64_t surely = budget - 12 * (granularity - 1);
      CHECK(coarse.error <= allocate_bits(layers, surely).error + 1e-12);
    }
  }
}

TEST_CASE("Of layers of one size the one that loses more never gets fewer bits", "[pipeline][property]") {
  std::vector<RatedLayer> layers;
  for (int i = 0; i < 40; ++i) {
    RatedLayer& layer = layers.emplace_back(RatedLayer{std::to_string(i), {}});
    for (const int bits : {2, 3, 4}) layer.points.push_back({bits * 1000, (1 + i * i % 41) * std::pow(4.0, -bits)});
  }
  const BitAllocation found = allocate_bits(layers, 40 * 2700);
  for (std::size_t a = 0; a < layers.size(); ++a)
    for (std::size_t b = 0; b < layers.size(); ++b)
      if (layers[a].points[0].error > layers[b].points[0].error) CHECK(found.choice[a] >= found.choice[b]);
  CHECK(found.bits <= 40 * 2700);
  CHECK(found.bits > 40 * 2700 - 1000);
}

TEST_CASE("allocate_bits takes fewer bits, then the earlier way, where errors are equal", "[pipeline][property]") {
  const std::vector<RatedLayer> layers{{"a", {{30, 1}, {20, 1}, {20, 1}}}, {"b", {{5, 0}}}};
  const BitAllocation found = allocate_bits(layers, 100);
  CHECK(found.choice == std::vector<std::size_t>{1, 0});
  CHECK(found.bits == 25);
  CHECK(allocate_bits({}, 0).choice.empty());
}

TEST_CASE("allocate_bits names what it cannot do", "[pipeline][bad-input]") {
  const std::vector<RatedLayer> layers{{"q", {{30, 1}, {20, 2}}}, {"down", {{50, 0}}}};
  CHECK_THROWS_WITH(allocate_bits(layers, 69), contains_text("69 bits is less than the 70"));
  CHECK_THROWS_AS(allocate_bits(layers, -1), basin::ValueError);
  CHECK_THROWS_WITH(allocate_bits(layers, 100, 0), contains_text("granularity"));
  CHECK_THROWS_WITH(allocate_bits(std::vector<RatedLayer>{{"q", {}}}, 1), contains_text("\"q\" has no way"));
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    CHECK_THROWS_WITH(allocate_bits(std::vector<RatedLayer>{{"q", {{1, bad}}}}, 1), contains_text("\"q\" needs"));
  CHECK_THROWS_AS(allocate_bits(std::vector<RatedLayer>{{"q", {{-1, 0}}}}, 1), basin::ValueError);

  // Sums of distinct powers of two are all different, and so are their errors.
  std::vector<RatedLayer> many;
  for (int i = 0; i < 20; ++i) many.push_back({"layer " + std::to_string(i), {{0, std::ldexp(1.0, i)}, {std::int64_t{1} << i, 0}}});
  CHECK_THROWS_WITH(allocate_bits(many, 1 << 20), contains_text("raise the granularity"));
  CHECK(allocate_bits(many, 1 << 20, 64).bits <= 1 << 20);
}
