#include <basin/codebook/k_means.hpp>  // first: proves the header stands alone

#include <basin/metric/euclidean_blocks.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::KMeans;
using Code = basin::Codes::value_type;
using Dense = basin::Matrix<double>;

namespace {
std::vector<Code> plain_nearest(const Dense& vectors, const Dense& codewords) {
  std::vector<Code> codes;
  for (Index n = 0; n < vectors.rows(); ++n) {
    Index nearest = 0;
    for (Index k = 1; k < codewords.rows(); ++k)
      if ((vectors.row(n) - codewords.row(k)).squaredNorm() < (vectors.row(n) - codewords.row(nearest)).squaredNorm()) nearest = k;
    codes.push_back(static_cast<Code>(nearest));
  }
  return codes;
}
}  // namespace

TEST_CASE("KMeans ends where codes are nearest and codewords means", "[codebook][reference]") {
  basin::test::Rng rng(84);
  const Dense vectors = basin::test::normal_matrix<double>(300, 4, rng);
  const auto identity = basin::EuclideanBlocks::identity(4, 4);
  const auto found = KMeans{.max_iterations = 1000}.cluster<double>(vectors, identity, 8, basin::keyed_random(1, {}));
  CHECK(found.codes == plain_nearest(vectors, found.codewords));
  Dense mean = Dense::Zero(8, 4);
  std::vector<double> count(8);
  for (Index n = 0; n < 300; ++n) {
    mean.row(found.codes[static_cast<std::size_t>(n)]) += vectors.row(n);
    ++count[found.codes[static_cast<std::size_t>(n)]];
  }
  for (Index k = 0; k < 8; ++k) CHECK((found.codewords.row(k) - mean.row(k) / count[static_cast<std::size_t>(k)]).norm() <= 1e-5);

  basin::test::Threads threads{3};
  const auto shared =
      KMeans{.max_iterations = 1000}.cluster<double>(vectors, identity, 8, basin::keyed_random(1, {}), {.executor = threads});
  CHECK(shared.codewords == found.codewords);
  CHECK(shared.codes == found.codes);
}

TEST_CASE("KMeans starts on the vectors it is told to", "[codebook][property]") {
  basin::test::Rng rng(85);
  const Dense vectors = basin::test::normal_matrix<double>(5, 3, rng);
  const auto identity = basin::EuclideanBlocks::identity(3, 3);
  const KMeans first{.max_iterations = 0, .start = basin::KMeansStart::first_vectors};
  const auto some = first.cluster<double>(vectors, identity, 3, basin::keyed_random(0, {}));
  CHECK(some.codewords == vectors.topRows(3));
  CHECK(some.codes == plain_nearest(vectors, some.codewords));
  const auto more = first.cluster<double>(vectors, identity, 8, basin::keyed_random(0, {}));
  CHECK(more.codewords.topRows(5) == vectors);
  CHECK(more.codewords.bottomRows(3).isZero(0));

  const auto drawn = KMeans{.max_iterations = 0}.cluster<double>(vectors, identity, 4, basin::keyed_random(0, {}));
  std::set<Index> places;
  for (Index k = 0; k < 4; ++k)
    for (Index n = 0; n < 5; ++n)
      if (drawn.codewords.row(k) == vectors.row(n)) places.insert(n);
  CHECK(places.size() == 4);
}

TEST_CASE("KMeans trained on a sample gives every vector its nearest codeword", "[codebook][property]") {
  basin::test::Rng rng(86);
  const Dense vectors = basin::test::normal_matrix<double>(400, 2, rng);
  const auto found = KMeans{.max_points_per_centroid = 5}.cluster<double>(vectors, basin::EuclideanBlocks::identity(4, 2), 6,
                                                                          basin::keyed_random(2, {}));
  CHECK(found.codes == plain_nearest(vectors, found.codewords));
  const auto error = [&](const basin::Clustering<double>& clustering) {
    double sum = 0;
    for (Index n = 0; n < 400; ++n)
      sum += (vectors.row(n) - clustering.codewords.row(clustering.codes[static_cast<std::size_t>(n)])).squaredNorm();
    return sum;
  };
  const auto untrained = KMeans{.max_iterations = 0, .max_points_per_centroid = 5}.cluster<double>(
      vectors, basin::EuclideanBlocks::identity(4, 2), 6, basin::keyed_random(2, {}));
  CHECK(error(found) < 0.9 * error(untrained));
  auto random = basin::keyed_random(3, {});
  const std::vector<Index> indices = KMeans::distinct_indices(10, 7, random);
  CHECK(std::set<Index>(indices.begin(), indices.end()).size() == 7);
  CHECK(*std::max_element(indices.begin(), indices.end()) < 10);
  CHECK(KMeans::distinct_indices(3, 9, random).size() == 3);
}
