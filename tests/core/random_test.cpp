#include <basin/core/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "support/catch.hpp"

using basin::keyed_random;
using basin::SplitMix64;
using Catch::Matchers::WithinRel;

TEST_CASE("SplitMix64 gives the golden stream of seed 42", "[core][reference]") {
  SplitMix64 bits(42), uniforms(42), normals(42);
  for (const std::uint64_t want : {0xbdd732262feb6e95u, 0x28efe333b266f103u, 0x47526757130f9f52u})
    CHECK(bits() == want);
  for (const double want : {0.7415648787718233, 0.1599103928769201, 0.27860113025513866})
    CHECK(uniforms.uniform() == want);  // 53 bits are exact
  for (const double want : {.882248906222269, -.45084987571886, .188352634115932, .219586379190761})
    CHECK_THAT(normals.normal(), WithinRel(want, 1e-12));
}

TEST_CASE("SplitMix64 streams are usable at compile time", "[core][reference]") {
  constexpr std::uint64_t first = SplitMix64(42)();
  STATIC_REQUIRE(first == 0xbdd732262feb6e95u);
  STATIC_REQUIRE(keyed_random(1, {2, 3})() == keyed_random(1, {2, 3})());
}

TEST_CASE("Normals have the moments of a normal", "[core][property]") {
  SplitMix64 random(1);
  constexpr int n = 100'000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  // Five standard errors: 1/sqrt(n), sqrt(2/n), sqrt(96/n).
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth / n - 3) < 5 * std::sqrt(96.0 / n));
}

TEST_CASE("below() is uniform and stays below its bound", "[core][property]") {
  const std::uint64_t bound = GENERATE(1u, 2u, 3u, 10u, 255u);
  SplitMix64 random(9);
  std::vector<int> counts(static_cast<std::size_t>(bound));
  const int n = 2000 * static_cast<int>(bound);
  for (int i = 0; i < n; ++i) {
    const std::uint64_t draw = random.below(bound);
    REQUIRE(draw < bound);
    ++counts[static_cast<std::size_t>(draw)];
  }
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  CHECK(*least > 2000 - 6 * 45);  // 45 = sqrt(2000)
  CHECK(*most < 2000 + 6 * 45);
}

TEST_CASE("below() reaches the largest bounds", "[core][property]") {
  SplitMix64 random(2);
  const std::uint64_t bound = (std::uint64_t{1} << 63) + 1;  // almost half of all draws are refused
  for (int i = 0; i < 1000; ++i) REQUIRE(random.below(bound) < bound);
}

TEST_CASE("Keyed streams differ in every part of the key and in its order", "[core][property]") {
  std::vector<std::uint64_t> first;
  for (std::uint64_t seed : {0u, 1u}) {
    first.push_back(keyed_random(seed, {})());
    for (std::uint64_t a = 0; a < 8; ++a) {
      first.push_back(keyed_random(seed, {a})());
      for (std::uint64_t b = 0; b < 8; ++b) first.push_back(keyed_random(seed, {a, b})());
    }
  }
  std::sort(first.begin(), first.end());
  CHECK(std::adjacent_find(first.begin(), first.end()) == first.end());
}
