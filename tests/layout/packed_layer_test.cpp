#include <basin/layout/packed_layer.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/random_layer.hpp"
#include "support/catch.hpp"

using basin::Scheme;

TEST_CASE("Every code lies where the diagram says", "[layout][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{3, 4, 8, 1}, Scheme{4, 4, 4, 1}, Scheme{1, 6, 8, 1}, Scheme{3, 6, 8, 1}, Scheme{5, 8, 16, 1});
  const auto [n_out, groups] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t>({{1, 1}, {64, 32}, {65, 33}, {192, 3}, {300, 70}}));
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, n_out, groups);
  const basin::test::PackedRandomLayer layer(scheme, n_out, groups * scheme.in_group_size, 11);
  const basin::PackedLayer& packed = layer.packed;
  REQUIRE(packed.family == basin::CodeFamily::planes);
  CHECK(packed.padded_rows == (n_out + 63) / 64 * 64);
  std::ptrdiff_t wrong = 0;
  for (std::ptrdiff_t row = 0; row < packed.padded_rows; ++row)
    for (std::ptrdiff_t j = 0; j < groups; ++j)
      for (std::ptrdiff_t m = 0; m < scheme.num_codebooks; ++m) {
        const std::ptrdiff_t first = row / 128 * 128, block = j / 32;
        const int code = basin::tile_code(basin::tile_codes(packed, block, first), basin::rows_in_block(packed, first), row - first,
                                          (j - 32 * block) * scheme.num_codebooks + m, scheme.bits_per_code);
        const int want = row < n_out ? layer.stored.codes[static_cast<std::size_t>((row * groups + j) * scheme.num_codebooks + m)] : 0;
        wrong += code != want;
      }
  CHECK(wrong == 0);
  // The tiles fill the codes without gaps.
  const std::ptrdiff_t last_block = basin::num_input_blocks(packed) - 1;
  std::ptrdiff_t bytes = 0;
  for (std::ptrdiff_t block = 0; block <= last_block; ++block) {
    CHECK(basin::tile_codes(packed, block, 0) == packed.codes + bytes);
    bytes += packed.padded_rows * basin::num_planes(basin::groups_in_block(packed, block) * scheme.num_codebooks, scheme.bits_per_code);
  }
  CHECK(bytes == packed.padded_rows * packed.row_bytes);
}

TEST_CASE("Codes of 6 bits take three quarters of a byte, of 4 bits half", "[layout][property]") {
  CHECK(basin::num_planes(64, 8) == 64);
  CHECK(basin::num_planes(64, 6) == 48);
  CHECK(basin::num_planes(64, 4) == 32);
  for (const int count : {1, 2, 3}) CHECK(basin::num_planes(4 + count, 6) == 3 + count);
  CHECK(basin::num_planes(3, 4) == 2);
}
