#include <basin/codebook/row_scales.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using basin::Index;
using Dense = basin::Matrix<double>;

TEST_CASE("Row scales are the norm of a row group", "[codebook][reference]") {
  const basin::test::F7 f7;
  const auto scales = basin::row_scales<double>(f7.weight, 1);
  REQUIRE(scales.size() == 8);
  CHECK_THAT(scales(0), Catch::Matchers::WithinRel(5.32652, 1e-3));
  for (Index o = 0; o < 8; ++o)
    CHECK_THAT(scales(o), Catch::Matchers::WithinRel(f7.weight.row(o).norm() + 1e-9, 1e-15));
  const auto pairs = basin::row_scales<double>(f7.weight, 2);
  REQUIRE(pairs.size() == 4);
  CHECK_THAT(pairs(1), Catch::Matchers::WithinRel(f7.weight.middleRows(2, 2).norm() + 1e-9, 1e-15));
}

TEST_CASE("Groups hold their rows one after the other, and come back by multiplication",
          "[codebook][property]") {
  const basin::test::F7 f7;
  const Index out_group = GENERATE(1, 2, 4);
  const auto scales = basin::row_scales<double>(f7.weight, out_group);
  const Dense groups = basin::normalized_groups<double>(f7.weight, scales, 4, out_group);
  REQUIRE(groups.rows() == 8 / out_group * 4);
  REQUIRE(groups.cols() == 4 * out_group);
  for (Index o = 0; o < 8 / out_group; ++o)
    for (Index j = 0; j < 4; ++j)
      for (Index p = 0; p < out_group; ++p)
        for (Index i = 0; i < 4; ++i)
          CHECK_THAT(groups(4 * o + j, 4 * p + i) * scales(o),
                     Catch::Matchers::WithinRel(f7.weight(out_group * o + p, 4 * j + i), 1e-14));
  CHECK_THAT(groups.topRows(4).norm(), Catch::Matchers::WithinRel(1.0, 1e-8));
}

TEST_CASE("scale eps and zero rows: a row of zeros gets the floor and stays zero", "[codebook][property][pitfall]") {
  Dense weight = Dense::Zero(2, 4);
  weight(1, 2) = 3;
  const auto scales = basin::row_scales<double>(weight, 1);
  CHECK(scales(0) == basin::row_scale_floor);
  CHECK(basin::normalized_groups<double>(weight, scales, 2, 1).topRows(2).isZero(0));
}

TEST_CASE("Row scales name a group size that does not divide", "[codebook][bad-input]") {
  CHECK_THROWS_WITH(basin::row_scales<double>(Dense::Ones(7, 2), 2),
                    basin::test::contains_text("2 does not divide 7"));
  CHECK_THROWS_AS(basin::row_scales<double>(Dense::Ones(7, 2), 0), basin::ShapeError);
}
