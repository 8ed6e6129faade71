#include <basin/io/byte_reader.hpp>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::ByteReader;

TEST_CASE("ByteReader reads little-endian fields at any alignment", "[io][reference]") {
  const auto bytes = basin::test::ByteWriter()
                         .put<std::uint8_t>(0xab).put<std::uint16_t>(0x1234).put<std::uint32_t>(0x89abcdef)
                         .put<std::int64_t>(-2).put(1.5f).text("ok").bytes();
  CHECK(bytes[1] == std::byte{0x34});  // the low byte comes first
  ByteReader reader(bytes);
  std::uint8_t a = 0;
  std::uint16_t b = 0;
  std::uint32_t c = 0;
  std::int64_t d = 0;
  float e = 0;
  std::string_view f;
  REQUIRE((reader.read(a) && reader.read(b) && reader.read(c) && reader.read(d) && reader.read(e)));
  CHECK((a == 0xab && b == 0x1234 && c == 0x89abcdef && d == -2 && e == 1.5f));
  CHECK(reader.offset() == 19);
  REQUIRE(reader.read_text(2, f));
  CHECK(f == "ok");
  CHECK(reader.remaining() == 0);
}

TEST_CASE("A read past the end changes nothing", "[io][bad-input]") {
  const auto bytes = basin::test::ByteWriter().put<std::uint16_t>(7).bytes();
  ByteReader reader(bytes);
  std::uint32_t value = 5;
  std::string_view text = "as before";
  CHECK_FALSE(reader.read(value));
  CHECK_FALSE(reader.skip(~std::uint64_t{0}));
  CHECK_FALSE(reader.read_text(3, text));
  CHECK((value == 5 && text == "as before" && reader.offset() == 0));
  CHECK(reader.skip(1));
  std::uint16_t cut = 5;
  CHECK_FALSE(reader.read(cut));  // one byte short
  CHECK((cut == 5 && reader.remaining() == 1));
  CHECK_FALSE(reader.skip(2));
  CHECK(reader.skip(1));
  CHECK(reader.skip(0));
}
