#include <basin/layout/packed_codes.hpp>
#include <basin/core/random.hpp>

#include "support/catch.hpp"

using basin::AdditiveLayer;
using basin::check_packed_codes;
using basin::PackedCodes;
using basin::Scheme;
using basin::test::contains_text;

namespace {
AdditiveLayer random_codes(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) {
  basin::SplitMix64 rng(11);
  AdditiveLayer layer{scheme, n_out, n_in, {}, {}, {}};
  const auto k = static_cast<std::uint64_t>(scheme.codebook_size());
  for (std::ptrdiff_t i = layer.num_out_groups() * layer.num_in_groups() * scheme.num_codebooks; i > 0; --i)
    layer.codes.push_back(static_cast<std::uint16_t>(i % 5 == 0 ? k - 1 : rng.below(k)));
  return layer;
}
}  // namespace

TEST_CASE("Packed codes unpack to the same codes, for every width and count", "[layout][property]") {
  const int bits = GENERATE(range(1, 17));
  const int num_codebooks = GENERATE(range(1, 9));
  const std::ptrdiff_t n_in = GENERATE(1, 24, 130);
  const AdditiveLayer layer = random_codes(Scheme{num_codebooks, bits, 8, 2}, 6, n_in);
  const PackedCodes packed = basin::pack_codes(layer);
  CHECK(packed.row_bytes() % 8 == 0);
  CHECK(packed.bytes.size() == 3 * packed.row_bytes());
  CHECK(basin::unpack_codes(packed) == layer.codes);
  CHECK(check_packed_codes(packed, "f").has_value());
}

TEST_CASE("Rows of packed codes begin at whole words", "[layout][golden]") {
  AdditiveLayer layer{Scheme{2, 3, 4, 1}, 2, 8, {1, 2, 3, 4, 5, 6, 7, 0}, {}, {}};
  const PackedCodes packed = basin::pack_codes(layer);
  const std::vector<std::uint8_t> want = {0b11'010'001, 0b1000, 0, 0, 0, 0, 0, 0, 0b11'110'101, 0b0001, 0, 0, 0, 0, 0, 0};
  CHECK(packed.bytes == want);
  CHECK(packed.row(1)[0] == 0b11'110'101);
}

TEST_CASE("pack_codes names what does not fit", "[layout][bad-input]") {
  AdditiveLayer layer = random_codes(Scheme{2, 3, 4, 1}, 2, 8);
  layer.codes[5] = 8;
  CHECK_THROWS_AS(basin::pack_codes(layer), basin::ValueError);
  CHECK_THROWS_WITH(basin::pack_codes(layer), contains_text("code 5 is 8"));
  layer.codes.pop_back();
  CHECK_THROWS_AS(basin::pack_codes(layer), basin::ShapeError);
  layer.scheme.bits_per_code = 0;
  CHECK_THROWS_AS(basin::pack_codes(layer), basin::ValueError);
  PackedCodes packed = basin::pack_codes(random_codes(Scheme{2, 3, 4, 1}, 2, 8));
  packed.bytes.pop_back();
  CHECK_THROWS_AS(basin::unpack_codes(packed), basin::ShapeError);
}

TEST_CASE("Packed codes from outside are checked", "[layout][bad-input]") {
  const PackedCodes good = basin::pack_codes(random_codes(Scheme{2, 3, 4, 1}, 2, 8));  // rows of 12 bits
  const auto problem = [](const PackedCodes& packed) {
    const auto checked = check_packed_codes(packed, "f");
    return checked ? std::string("no error") : checked.error().message;
  };
  CHECK(problem(good) == "no error");
  PackedCodes padded = good;
  padded.bytes[9] |= 0x10;  // bit 12 of row 1
  CHECK_THAT(problem(padded), contains_text("f: packed codes: row 1 has padding"));
  CHECK(check_packed_codes(padded, "f").error().offset == 9);
  PackedCodes first_row = good;
  first_row.bytes[7] = 0x80;
  CHECK_THAT(problem(first_row), contains_text("row 0 has padding"));
  PackedCodes longer = good;
  longer.bytes[9] |= 0x08;  // the last code bit
  CHECK(problem(longer) == "no error");
  longer.bytes.push_back(0);
  CHECK_THAT(problem(longer), contains_text("17 bytes, expected 16"));
  PackedCodes packed = good;
  packed.num_out_groups = -1;
  CHECK_THAT(problem(packed), contains_text("out of range"));
  packed.num_out_groups = PTRDIFF_MAX;
  CHECK_THAT(problem(packed), contains_text("overflows"));
  packed.num_out_groups = 2;
  packed.num_in_groups = PTRDIFF_MAX;
  CHECK_THAT(problem(packed), contains_text("overflows"));
  packed.scheme.num_codebooks = 0;
  CHECK_THAT(problem(packed), contains_text("out of range"));
}
