#include <bench/support/shapes.hpp>  // first: proves the header stands alone

#include <stdexcept>
#include <vector>

#include "support/catch.hpp"

using basin::bench::parse_shapes;
using basin::bench::Shape;

TEST_CASE("parse_shapes reads n_outxn_in, one or more", "[bench]") {
  CHECK(parse_shapes("3072x3072") == std::vector<Shape>{{3072, 3072}});
  CHECK(parse_shapes("1x1,4096x11008") == std::vector<Shape>{{1, 1}, {4096, 11008}});
  CHECK(to_string(Shape{7, 9}) == "7x9");
}

TEST_CASE("parse_shapes shows what is not a shape", "[bench][bad-input]") {
  const auto [text, why] = GENERATE(table<const char*, const char*>({{"", "\"\" is not a shape"},
                                                                     {"4096", "\"4096\" is not a shape"},
                                                                     {"4096x", "\"4096x\" is not a shape"},
                                                                     {"x4096", "\"x4096\" is not a shape"},
                                                                     {"8x8,", "\"\" is not a shape"},
                                                                     {"8x8, 9x9", "\" 9x9\" is not a shape"},
                                                                     {"8x8x8", "\"8x8x8\" is not a shape"},
                                                                     {"8x-8", "a side outside 1 to 1048576"},
                                                                     {"0x8", "a side outside 1 to 1048576"},
                                                                     {"99999999999999999999x8", "is not a shape"},
                                                                     {"1048576x1048576", "more than 2^30 weights"}}));
  CAPTURE(text);
  CHECK_THROWS_AS(parse_shapes(text), std::invalid_argument);
  CHECK_THROWS_WITH(parse_shapes(text), basin::test::contains_text(why));
  CHECK_THROWS_WITH(parse_shapes(text), basin::test::contains_text("BASIN_BENCH_SHAPES"));
}
