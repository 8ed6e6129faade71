#include <basin/core/scheme.hpp>
#include <basin/core/scheme_text.hpp>

#include <string>

#include "support/catch.hpp"

using basin::parse_scheme;
using basin::Scheme;
using basin::test::contains_text;

TEST_CASE("A scheme knows its sizes", "[core][reference]") {
  constexpr Scheme scheme{.num_codebooks = 3, .bits_per_code = 12, .in_group_size = 8, .out_group_size = 2};
  STATIC_REQUIRE(scheme.codebook_size() == 4096);
  STATIC_REQUIRE(scheme.codeword_size() == 16);
  STATIC_REQUIRE(scheme.num_in_groups(64) == 8);
  STATIC_REQUIRE(scheme.num_in_groups(65) == 9);  // the last group is padded
  STATIC_REQUIRE(scheme.num_in_groups(1) == 1);
  STATIC_REQUIRE(scheme.is_valid());
}

TEST_CASE("A scheme is valid between its limits and not beyond", "[core][property]") {
  const auto with = [](int m, int b, int g, int o) { return Scheme{m, b, g, o}.is_valid(); };
  CHECK(with(1, 1, 1, 1));
  CHECK(with(8, 16, 4096, 1));
  CHECK(with(8, 16, 64, 64));
  CHECK_FALSE(with(0, 8, 8, 1));
  CHECK_FALSE(with(9, 8, 8, 1));
  CHECK_FALSE(with(2, 0, 8, 1));
  CHECK_FALSE(with(2, 17, 8, 1));
  CHECK_FALSE(with(2, 8, 0, 1));
  CHECK_FALSE(with(2, 8, 8, 0));
  CHECK_FALSE(with(2, 8, -8, 1));
  CHECK_FALSE(with(2, 8, 64, 65));
  CHECK_FALSE(with(2, 8, 4097, 1));
  CHECK_FALSE(with(2, 8, 2147483647, 2147483647));
}

TEST_CASE("Scheme text reads back", "[core][property]") {
  const Scheme scheme{GENERATE(1, 2, 8), GENERATE(1, 8, 16), GENERATE(1, 4, 8, 128), GENERATE(1, 2)};
  const std::string text = to_string(scheme);
  CAPTURE(text);
  const auto back = parse_scheme(text);
  REQUIRE(back);
  CHECK(*back == scheme);
}

TEST_CASE("Scheme text is the field's", "[core][reference]") {
  CHECK(to_string(Scheme{}) == "2x8g8");
  CHECK(to_string(Scheme{.num_codebooks = 1, .bits_per_code = 16, .out_group_size = 4}) == "1x16g8o4");
}

TEST_CASE("parse_scheme says which rule a text breaks", "[core][bad-input]") {
  for (const std::string text : {"", "x", "2", "2x", "2x8", "2x8g", "2y8g8", "2x8h8", "ax8g8", "2x99999999999g8", "2 x8g8"}) {
    CAPTURE(text);
    const auto scheme = parse_scheme(text);
    REQUIRE_FALSE(scheme);
    CHECK(scheme.error().code == basin::ErrorCode::bad_value);
    CHECK_THAT(scheme.error().message, contains_text("\"" + text + "\"") && contains_text("MxBgG"));
  }
  for (const std::string text : {"2x8g8 ", "2x8g8o", "2x8g8x2", "2x8g8o2o2"}) {
    CAPTURE(text);
    const auto scheme = parse_scheme(text);
    REQUIRE_FALSE(scheme);
    CHECK_THAT(scheme.error().message, contains_text("oN"));
  }
  for (const std::string text : {"0x8g8", "9x8g8", "2x17g8", "2x8g0", "-2x8g8", "2x8g8o4096"}) {
    CAPTURE(text);
    const auto scheme = parse_scheme(text);
    REQUIRE_FALSE(scheme);
    CHECK_THAT(scheme.error().message, contains_text("1 to 8 codebooks"));
  }
}
