// What a codebook of the largest size makes the library hold.
#include <basin/codebook/assign.hpp>
#include <basin/metric/euclidean_blocks.hpp>

#include <cstddef>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;

TEST_CASE("large K = 65536: assign never holds a distance for every vector and codeword", "[hostile][property][pitfall]") {
  const Index size = 65536, count = 600;
  basin::test::Rng rng(71);
  const auto codewords = basin::test::normal_matrix<float>(size, 2, rng);
  const auto vectors = basin::test::normal_matrix<float>(count, 2, rng);
  const auto blocks = basin::EuclideanBlocks::identity(2, 2);
  std::vector<basin::Codes::value_type> codes(static_cast<std::size_t>(count));
  const basin::test::AllocationWatch watch;
  basin::assign<float>(vectors, codewords, blocks, codes);
  CHECK(watch.peak() < static_cast<std::size_t>(size * count));  // a byte each would be this many
  for (const Index n : {Index{0}, Index{299}, count - 1}) {
    const float found = (codewords.row(codes[static_cast<std::size_t>(n)]) - vectors.row(n)).squaredNorm();
    CHECK(found <= (codewords.rowwise() - vectors.row(n)).rowwise().squaredNorm().minCoeff() * (1 + 1e-6f));
  }
}
