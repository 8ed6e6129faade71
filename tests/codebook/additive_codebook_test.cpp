#include <basin/codebook/additive_codebook.hpp>  // first: proves the header stands alone

#include "support/catch.hpp"

TEST_CASE("An additive codebook holds M codebooks of K codewords", "[codebook][reference]") {
  basin::AdditiveCodebook<float> codebooks(
      {.num_codebooks = 3, .bits_per_code = 2, .in_group_size = 4, .out_group_size = 2});
  CHECK(codebooks.num_codebooks() == 3);
  CHECK(codebooks.size() == 4);
  CHECK(codebooks.codeword_size() == 8);
  CHECK(codebooks.values().rows() == 12);
  CHECK(codebooks.values().isZero(0));
  codebooks.codebook(1).row(2).setConstant(5);
  CHECK(codebooks.codeword(1, 2)[7] == 5);
  CHECK(codebooks.codeword(1, 1)[7] == 0);
  CHECK(codebooks.values()(6, 0) == 5);
  const basin::AdditiveCodebook<float> copy = codebooks;
  CHECK(copy.codebook(1) == codebooks.codebook(1));
}

TEST_CASE("An additive codebook refuses schemes that cannot be", "[codebook][bad-input]") {
  using Codebook = basin::AdditiveCodebook<double>;
  CHECK_THROWS_WITH(Codebook({.num_codebooks = 9}), basin::test::contains_text("9x8g8"));
  CHECK_THROWS_AS(Codebook({.bits_per_code = 17}), basin::ValueError);
  CHECK_THROWS_AS(Codebook({.in_group_size = 0}), basin::ValueError);
  CHECK_THROWS_AS(Codebook({.out_group_size = -1}), basin::ValueError);
}
