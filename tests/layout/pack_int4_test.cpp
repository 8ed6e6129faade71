#include <basin/layout/pack_int4.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("Integers of four bits lie where the diagram says", "[layout][golden]") {
  CHECK(basin::int4_version == 1);
  const std::vector<std::int8_t> values{-1, 7, -8, 0, 3};
  std::vector<std::uint8_t> bytes(basin::int4_bytes(values.size()), 0xff);
  basin::pack_int4(values, bytes);
  CHECK(bytes == std::vector<std::uint8_t>{0x7f, 0x08, 0x03});
}

TEST_CASE("Every pair of integers of four bits comes back", "[layout][property]") {
  std::vector<std::int8_t> values, back;
  for (int a = -8; a < 8; ++a)
    for (int b = -8; b < 8; ++b) {
      values.push_back(static_cast<std::int8_t>(a));
      values.push_back(static_cast<std::int8_t>(b));
    }
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{37}, values.size()}) {
    const std::vector<std::int8_t> some(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
    std::vector<std::uint8_t> bytes(basin::int4_bytes(count), 0xff);
    CHECK(bytes.size() == (count + 1) / 2);
    basin::pack_int4(some, bytes);
    back.assign(count, 99);
    basin::unpack_int4(bytes, back);
    CHECK(back == some);
  }
}
