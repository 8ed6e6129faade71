#include <basin/layout/packed_levels.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <cstdint>

#include "kernels/random_levels.hpp"
#include "support/catch.hpp"

TEST_CASE("Every code of a level lies where the diagram says", "[layout][reference]") {
  const auto [n_out, n_in] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t>({{1, 1}, {63, 16}, {64, 17}, {65, 30}, {200, 100}}));
  CAPTURE(n_out, n_in);
  const basin::test::RandomLevels layer(basin::test::level_sets[0], n_out, n_in, 3);
  const basin::PackedLevels& packed = layer.packed;
  CHECK(packed.padded_rows == (n_out + 63) / 64 * 64);
  CHECK(packed.num_words == (n_in + 15) / 16 * 4);
  std::ptrdiff_t wrong = 0;
  for (std::ptrdiff_t row = 0; row < packed.padded_rows; ++row)
    for (std::ptrdiff_t i = 0; i < 4 * packed.num_words; ++i) {
      const int want = row < n_out && i < n_in ? layer.codes[static_cast<std::size_t>(row * n_in + i)] : 0;
      const std::ptrdiff_t block = row / 64, lane = row % 16, shift = row % 64 / 16 * 2;
      const std::uint8_t byte = packed.codes[(block * packed.num_words + i / 4) * 64 + 4 * lane + i % 4];
      wrong += (byte >> shift & 3) != want || basin::level_code(packed, row, i) != want;
    }
  CHECK(wrong == 0);
  for (std::ptrdiff_t row = 0; row < packed.padded_rows; ++row)
    CHECK(packed.scales[row] == (row < n_out ? layer.scales[static_cast<std::size_t>(row)] : 0.0f));
}

TEST_CASE("Equally spaced levels have a step", "[layout][property]") {
  const auto step = [](const std::int8_t (&levels)[4]) {
    basin::PackedLevels layer;
    for (int k = 0; k < 4; ++k) layer.levels[k] = levels[k];
    return basin::level_step(layer);
  };
  CHECK(step({-3, -1, 1, 3}) == 2);
  CHECK(step({-2, -1, 0, 1}) == 1);
  CHECK(step({-4, -1, 1, 4}) == 0);
  CHECK(step({-2, -1, 1, 2}) == 0);
  CHECK(step({-2, -1, 0, 2}) == 0);
}
