#include <basin/core/error.hpp>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using basin::concat;
using basin::raise;

TEST_CASE("concat joins text and numbers", "[core][reference]") {
  CHECK(concat() == "");
  CHECK(concat("H must be [g, g], got [", 2, ", ", std::int64_t{-3}, ']') == "H must be [g, g], got [2, -3]");
  CHECK(concat(std::string("a"), std::string_view("b"), "c") == "abc");
  CHECK(concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}

TEST_CASE("concat writes floating point numbers that read back", "[core][property]") {
  CHECK(concat(0.1) == "0.1");
  CHECK(concat(-1.5f) == "-1.5");
  for (const double extreme : {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), -1e-300})
    CHECK(std::strtod(concat(extreme).c_str(), nullptr) == extreme);
  CHECK(concat(std::numeric_limits<double>::infinity()) == "inf");
}

TEST_CASE("raise throws the type asked for, with the message", "[core][bad-input]") {
  CHECK_THROWS_AS(raise<basin::ShapeError>("x"), basin::ShapeError);
  CHECK_THROWS_AS(raise<basin::ValueError>("x"), basin::ValueError);
  CHECK_THROWS_AS(raise<basin::Cancelled>("x"), basin::Cancelled);
  CHECK_THROWS_WITH(raise<basin::ShapeError>("W is ", 3, " wide"), "W is 3 wide");
}

TEST_CASE("A host may catch errors by their standard bases", "[core][property]") {
  CHECK_THROWS_AS(raise<basin::ShapeError>("x"), std::invalid_argument);
  CHECK_THROWS_AS(raise<basin::ValueError>("x"), std::invalid_argument);
  CHECK_THROWS_AS(raise<basin::Cancelled>("x"), std::runtime_error);
}
