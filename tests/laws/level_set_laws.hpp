#pragma once

#include <basin/levels/concepts.hpp>
#include <basin/levels/nearest_level.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace basin::test {
/// What quantizers rely on in a level set: a name, codes in the order of values, every level its own nearest
/// one, values that are nearest, and mirrored sets mirrored.
template <LevelSet L>
void check_level_set_laws(const L& level_set) {
  CHECK(!std::string_view(L::name).empty());
  CHECK(to_string(level_set) == L::name);
  CHECK(num_levels<L> == L::values.size());
  const std::vector<double> levels(L::values.begin(), L::values.end());
  const NearestLevel<double> nearest(levels);
  REQUIRE(nearest.size() == levels.size());
  for (std::size_t code = 0; code < levels.size(); ++code) {
    CHECK(nearest.code(levels[code]) == code);
    CHECK(nearest.level(static_cast<std::uint8_t>(code)) == levels[code]);
  }
  Rng rng(17);
  Index wrong = 0, crooked = 0;
  const double reach = levels.back() - levels.front();
  for (int repeat = 0; repeat < 1000; ++repeat) {
    const double x = levels.front() - reach + 3 * reach * rng.uniform();
    const std::uint8_t code = nearest.code(x);
    for (const double level : levels) wrong += std::abs(x - level) < std::abs(x - levels[code]);
    if constexpr (MirroredLevelSet<L>) crooked += nearest.code(-x) != levels.size() - 1 - code;
  }
  CHECK(wrong == 0);
  CHECK(crooked == 0);
  if constexpr (ShiftedLevelSet<L>)
    for (std::size_t code = 0; code < levels.size(); ++code) CHECK(levels[code] == static_cast<double>(code));
}

}  // namespace basin::test
