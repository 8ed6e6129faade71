#include <basin/core/power_2_4.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/catch.hpp"

TEMPLATE_TEST_CASE("power_2_4 is pow(x, 2.4)", "[core][reference]", float, double) {
  using T = TestType;
  double worst = 0;
  // Five octaves take the guess through all its errors; then the whole range.
  for (double x = 1; x < 32; x *= 1.00003) {
    const T rounded = static_cast<T>(x);
    const long double want = std::pow(static_cast<long double>(rounded), 2.4L);
    worst = std::max(worst, static_cast<double>(std::abs(basin::power_2_4(rounded) / want - 1)));
  }
  // Beyond 1e-15 a float's result is subnormal.
  for (double x = sizeof(T) == 4 ? 1e-15 : 1e-30; x < 1e12; x *= 1.01) {
    const T rounded = static_cast<T>(x);
    const long double want = std::pow(static_cast<long double>(rounded), 2.4L);
    worst = std::max(worst, static_cast<double>(std::abs(basin::power_2_4(rounded) / want - 1)));
  }
  CHECK(worst <= 8 * static_cast<double>(std::numeric_limits<T>::epsilon()));
  CHECK(basin::power_2_4(T(0)) == 0);
  CHECK(basin::power_2_4(std::numeric_limits<T>::denorm_min()) >= 0);
  CHECK(basin::power_2_4(std::numeric_limits<T>::denorm_min()) < T(1e-30));
}
