#include <basin/codebook/reseed.hpp>  // first: proves the header stands alone

#include <basin/metric/euclidean_blocks.hpp>

#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using basin::Index;
using Catch::Matchers::WithinRel;
using Code = basin::Codes::value_type;
using Dense = basin::Matrix<double>;

TEST_CASE("clustering_distances are the weighted quadratic forms", "[codebook][reference]") {
  basin::test::Rng rng(83);
  const Dense vectors = basin::test::normal_matrix<double>(12, 6, rng), codewords = basin::test::normal_matrix<double>(4, 6, rng);
  basin::HessianBlocks blocks(2, 3);
  for (Index j = 0; j < 2; ++j) blocks.block(j) = basin::test::spd_matrix<double>(3, 10, rng);
  std::vector<Code> codes;
  for (Index n = 0; n < 12; ++n) codes.push_back(static_cast<Code>(rng.below(4)));
  const basin::Vector<double> weights = basin::test::normal_vector<double>(6, rng).cwiseAbs();
  const auto got = basin::clustering_distances<double>(vectors, codewords, codes, blocks, weights);
  double sum = 0;
  for (Index n = 0; n < 12; ++n) {
    const auto slot = static_cast<std::size_t>(n);
    long double want = 0;
    for (Index p = 0; p < 2; ++p)
      want += basin::test::quadratic_form(blocks.block(n % 2), vectors.row(n).segment(3 * p, 3),
                                          codewords.row(codes[slot]).segment(3 * p, 3));
    CHECK_THAT(got[slot], WithinRel(weights(n / 2) * static_cast<double>(want), 1e-13));
    sum += got[slot];
  }
  CHECK_THAT(basin::clustering_objective<double>(vectors, codewords, codes, blocks, weights), WithinRel(sum, 1e-14));
}

TEST_CASE("reseed_empty moves empty codewords to the vectors that are served worst", "[codebook][reference]") {
  const basin::HessianBlocks identity = basin::EuclideanBlocks::identity(1, 1);
  const Dense vectors = (Dense(6, 1) << 0, 1, 9, 9, -7, 20).finished();
  Dense codewords = (Dense(4, 1) << 0, 50, 20, 60).finished();
  std::vector<Code> codes{0, 0, 0, 0, 0, 2};  // 1 and 3 are empty; 2 has one vector
  const double before = basin::clustering_objective<double>(vectors, codewords, codes, identity, {});
  CHECK(before == 1 + 81 + 81 + 49);
  CHECK(basin::reseed_empty<double>(vectors, identity, {}, codewords, codes) == 2);
  CHECK(codewords == (Dense(4, 1) << 0, 9, 20, -7).finished());  // the second 9 is a copy
  CHECK(codes == std::vector<Code>{0, 0, 1, 0, 3, 2});
  CHECK(basin::clustering_objective<double>(vectors, codewords, codes, identity, {}) == 1 + 81);

  const Dense kept = codewords;
  CHECK(basin::reseed_empty<double>(vectors, identity, {}, codewords, codes) == 0);
  CHECK(codewords == kept);
}

TEST_CASE("reseed_empty looks at row weights", "[codebook][property]") {
  const basin::HessianBlocks identity = basin::EuclideanBlocks::identity(1, 1);
  const Dense vectors = (Dense(3, 1) << 0, 3, 4).finished();
  Dense codewords = Dense::Zero(2, 1);
  std::vector<Code> codes{0, 0, 0};
  const basin::Vector<double> weights = (basin::Vector<double>(3) << 1, 2, 1).finished();  // 18 against 16
  CHECK(basin::reseed_empty<double>(vectors, identity, weights, codewords, codes) == 1);
  CHECK(codewords(1, 0) == 3);
}
