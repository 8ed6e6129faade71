#include <basin/layout/pack_w2.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("Codes of two bits lie where the diagram says", "[layout][golden]") {
  CHECK(basin::w2_version == 1);
  const std::vector<std::uint8_t> codes{3, 0, 1, 2, 2, 3};
  std::vector<std::uint8_t> bytes(basin::w2_bytes(codes.size()), 0xff);
  basin::pack_w2(codes, bytes);
  CHECK(bytes == std::vector<std::uint8_t>{0x93, 0x0e});
}

TEST_CASE("Every byte of codes comes back", "[layout][property]") {
  std::vector<std::uint8_t> codes, back;
  for (int byte = 0; byte < 256; ++byte)
    for (int i = 0; i < 4; ++i) codes.push_back(static_cast<std::uint8_t>(byte >> (2 * i) & 3));
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{7}, codes.size()}) {
    const std::vector<std::uint8_t> some(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(count));
    std::vector<std::uint8_t> bytes(basin::w2_bytes(count), 0xff);
    CHECK(bytes.size() == (count + 3) / 4);
    basin::pack_w2(some, bytes);
    back.assign(count, 99);
    basin::unpack_w2(bytes, back);
    CHECK(back == some);
  }
}
