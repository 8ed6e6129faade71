#include <basin/levels/nearest_level.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::NearestLevel;
using basin::test::Rng;

TEMPLATE_TEST_CASE("NearestLevel finds what a scan by distance finds", "[levels][reference]", float, double) {
  using T = TestType;
  const std::size_t n = GENERATE(2u, 3u, 4u, 7u, 16u, 256u);
  Rng rng(n);
  std::vector<T> levels;
  for (std::size_t i = 0; i < n; ++i) levels.push_back(static_cast<T>(i) + static_cast<T>(0.9 * rng.uniform()));
  const NearestLevel<T> nearest(levels);
  std::vector<T> x;
  for (int i = 0; i < 999; ++i) x.push_back(static_cast<T>((rng.uniform() * 1.4 - 0.2) * static_cast<double>(n)));
  std::vector<std::uint8_t> codes(x.size());
  nearest.codes(x.data(), static_cast<std::ptrdiff_t>(x.size()), codes.data());
  std::vector<T> numbers(x.size());
  nearest.codes(x.data(), static_cast<std::ptrdiff_t>(x.size()), numbers.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < n; ++k)
      if (std::abs(x[i] - levels[k]) < std::abs(x[i] - levels[best])) best = k;
    // A midpoint is rounded: where both are equally far up to that, either may be nearest.
    CHECK(std::abs(x[i] - levels[codes[i]]) <= std::abs(x[i] - levels[best]) + std::numeric_limits<T>::epsilon() * static_cast<T>(n));
    CHECK(nearest.code(x[i]) == codes[i]);
    std::size_t second = codes[i] == 0 ? 1 : 0;
    for (std::size_t k = 0; k < n; ++k)
      if (k != codes[i] && std::abs(x[i] - levels[k]) < std::abs(x[i] - levels[second])) second = k;
    CHECK(nearest.second(x[i], codes[i]) == second);
    CHECK(numbers[i] == static_cast<T>(codes[i]));
  }
}

TEST_CASE("Ties go to the lower level", "[levels][property]") {
  const NearestLevel<double> nearest({-1.5, -0.5, 0.5, 1.5});
  CHECK(nearest.code(-1) == 0);
  CHECK(nearest.code(0) == 1);
  CHECK(nearest.code(-0.0) == 1);
  CHECK(nearest.code(1) == 2);
  CHECK(nearest.code(std::nextafter(1.0, 2.0)) == 3);
  CHECK(nearest.code(-INFINITY) == 0);
  CHECK(nearest.code(INFINITY) == 3);
  CHECK(nearest.second(0, 1) == 2);
  CHECK(nearest.second(-0.5, 1) == 0);  // as far as the third
  const double ties[] = {-1, 0, 1};
  std::uint8_t codes[3];
  nearest.codes(ties, 3, codes);
  CHECK(codes[0] == 0);
  CHECK(codes[1] == 1);
  CHECK(codes[2] == 2);
}
