#include <basin/io/shape_text.hpp>

#include <vector>

#include "support/catch.hpp"

TEST_CASE("A shape is written as its extents in brackets", "[io][reference]") {
  using basin::detail::shape_text;
  CHECK(shape_text(std::vector<std::int64_t>{}) == "[]");
  CHECK(shape_text(std::vector<std::int64_t>{4}) == "[4]");
  CHECK(shape_text(std::vector<std::int64_t>{4, 256, -1}) == "[4, 256, -1]");
}
