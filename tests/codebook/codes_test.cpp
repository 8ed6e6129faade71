#include <basin/codebook/codes.hpp>  // first: proves the header stands alone

#include "support/catch.hpp"

TEST_CASE("Codes lie as output group, input group, codebook", "[codebook][reference]") {
  basin::Codes codes(2, 3, 4);
  CHECK(codes.values().size() == 24);
  CHECK(codes(1, 2, 3) == 0);
  codes(1, 2, 3) = 65535;
  codes(0, 1, 0) = 7;
  CHECK(codes.values()[(1 * 3 + 2) * 4 + 3] == 65535);
  CHECK(codes.row(0)[4] == 7);
  CHECK(codes.tuple(1, 2).size() == 4);
  CHECK(codes.tuple(1, 2)[3] == 65535);
  CHECK(codes.num_out_groups() == 2);
  CHECK(codes.num_in_groups() == 3);
  CHECK(codes.num_codebooks() == 4);
}

TEST_CASE("Codes are values", "[codebook][property]") {
  basin::Codes a(1, 2, 1);
  const basin::Codes b = a;
  CHECK(a == b);
  a(0, 1, 0) = 1;
  CHECK_FALSE(a == b);
  CHECK_FALSE(b == basin::Codes(2, 1, 1));
  CHECK(basin::Codes() == basin::Codes(0, 0, 0));
}
