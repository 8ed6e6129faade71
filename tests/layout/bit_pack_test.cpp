#include <basin/layout/bit_pack.hpp>
#include <basin/core/random.hpp>

#include <array>
#include <vector>

#include "support/catch.hpp"

using basin::pack_bits;
using basin::packed_row_bytes;
using basin::unpack_bits;

namespace {
using Codes = std::vector<std::uint16_t>;
std::vector<std::uint8_t> packed(const Codes& codes, int bits) {
  std::vector<std::uint8_t> out(packed_row_bytes(codes.size(), bits), 0xee);
  pack_bits(codes, bits, out);
  return out;
}
}  // namespace

TEST_CASE("pack_bits sets bit i b + k of the row for bit k of code i", "[layout][reference]") {
  const int bits = GENERATE(range(1, 17));
  const std::size_t count = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{101});
  basin::SplitMix64 rng(static_cast<std::uint64_t>(bits) * 1000 + count);
  Codes codes(count);
  for (std::uint16_t& code : codes) code = static_cast<std::uint16_t>(rng.below(std::uint64_t{1} << bits));
  if (count > 1) {
    codes[0] = static_cast<std::uint16_t>((1u << bits) - 1);
    codes[1] = 0;
  }
  const auto row = packed(codes, bits);
  REQUIRE(row.size() % 8 == 0);
  REQUIRE(row.size() * 8 >= count * static_cast<std::size_t>(bits));
  REQUIRE(row.size() * 8 < count * static_cast<std::size_t>(bits) + 64);
  for (std::size_t p = 0; p < row.size() * 8; ++p) {
    const std::size_t code = p / static_cast<std::size_t>(bits), bit = p % static_cast<std::size_t>(bits);
    const int want = code < count ? codes[code] >> bit & 1 : 0;
    REQUIRE((row[p / 8] >> (p % 8) & 1) == want);
  }
  Codes back(count, 0xaaaa);
  unpack_bits(row, bits, back);
  CHECK(back == codes);
}

TEST_CASE("pack_bits writes these bytes", "[layout][golden]") {
  STATIC_REQUIRE(basin::bit_pack_version == 1);
  CHECK(packed({5, 1, 6}, 3) == std::vector<std::uint8_t>{0b10'001'101, 1, 0, 0, 0, 0, 0, 0});
  CHECK(packed({0x123, 0xabc}, 12) == std::vector<std::uint8_t>{0x23, 0xc1, 0xab, 0, 0, 0, 0, 0});
  CHECK(packed({1, 2, 3, 4, 5, 6, 7, 8}, 8) == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(packed({0x1234}, 16) == std::vector<std::uint8_t>{0x34, 0x12, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("pack_bits works at compile time", "[layout][property]") {
  constexpr auto row = [] {
    const std::array<std::uint16_t, 3> codes = {1, 0, 1};
    std::array<std::uint8_t, 8> out{};
    pack_bits(codes, 1, out);
    return out;
  }();
  STATIC_REQUIRE(row[0] == 0b101);
}

TEST_CASE("index overflow: a row's size does not overflow its count of bits", "[layout][property][pitfall]") {
  STATIC_REQUIRE(packed_row_bytes(0, 8) == 0);
  STATIC_REQUIRE(packed_row_bytes(1, 1) == 8);
  STATIC_REQUIRE(packed_row_bytes(64, 1) == 8);
  STATIC_REQUIRE(packed_row_bytes(65, 1) == 16);
  STATIC_REQUIRE(packed_row_bytes(8192, 16) == 16384);
}
