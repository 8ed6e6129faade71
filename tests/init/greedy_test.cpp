#include <basin/init/greedy.hpp>  // first: proves the header stands alone

#include <basin/init/oa_em.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "laws/initializer_laws.hpp"
#include "support/catch.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using basin::Index;
using Dense = basin::Matrix<double>;

namespace {
struct OaEmReseeding : basin::OaEm {
  OaEmReseeding() { empty = basin::EmptyClusters::reseed; }
};
struct OaEmAdam : basin::OaEm {
  OaEmAdam() { m_step = basin::MStep::adam; }
};
struct OaEmWeighted : basin::OaEm {
  OaEmWeighted() { row_weighting = true; }
};
struct OaEmSwept : basin::OaEm {
  OaEmSwept() { sweeps = 2; }
};
struct GreedyOnSample : basin::Greedy {
  GreedyOnSample() { max_points_per_centroid = 2; }
};
using Initializers =
    std::tuple<basin::Greedy, GreedyOnSample, basin::OaEm, OaEmReseeding, OaEmAdam, OaEmWeighted, OaEmSwept>;
}  // namespace

TEMPLATE_LIST_TEST_CASE("Initializers obey their laws", "[init][property]", Initializers) {
  basin::test::check_initializer_laws<double>(TestType{});
  basin::test::check_initializer_laws<float>(TestType{});
}

TEST_CASE("Greedy is k-means of what earlier codebooks leave", "[init][reference]") {
  basin::test::Rng rng(21);
  const auto made = basin::test::synthetic_layer(10, 12, rng);
  const basin::LayerObjective<double> layer(made.weight, made.hessian, 4);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 2, .in_group_size = 4};
  const basin::Greedy greedy{.max_iterations = 1000, .start = basin::KMeansStart::first_vectors};
  const auto weight = greedy.initialize(layer, basin::EuclideanBlocks::identity(12, 4), scheme, 0, basin::RunContext{});

  Dense residual(30, 4);
  for (Index o = 0; o < 10; ++o)
    for (Index j = 0; j < 3; ++j) residual.row(3 * o + j) = made.weight.row(o).segment(4 * j, 4) / weight.scales(o);
  for (Index m = 0; m < 2; ++m) {
    Dense codewords = residual.topRows(4);
    std::vector<Index> codes(30);
    for (int iteration = 0; iteration < 1000; ++iteration) {
      for (Index n = 0; n < 30; ++n)
        (codewords.rowwise() - residual.row(n)).rowwise().squaredNorm().minCoeff(&codes[static_cast<std::size_t>(n)]);
      for (Index k = 0; k < 4; ++k) {
        Dense sum = Dense::Zero(1, 4);
        double count = 0;
        for (Index n = 0; n < 30; ++n)
          if (codes[static_cast<std::size_t>(n)] == k) {
            sum += residual.row(n);
            ++count;
          }
        if (count > 0) codewords.row(k) = sum / count;
      }
    }
    CHECK((weight.codebooks.codebook(m) - codewords).cwiseAbs().maxCoeff() <= 1e-12);
    for (Index n = 0; n < 30; ++n) {
      CHECK(weight.codes(n / 3, n % 3, m) == codes[static_cast<std::size_t>(n)]);
      residual.row(n) -= codewords.row(codes[static_cast<std::size_t>(n)]);
    }
  }
}

TEST_CASE("k-means starts on distinct vectors", "[init][property]") {
  basin::SplitMix64 random(3);
  for (const auto& [n, count] : {std::pair<Index, Index>{10, 10}, {1000, 7}, {5, 9}, {1, 1}}) {
    const std::vector<Index> chosen = basin::KMeans::distinct_indices(n, count, random);
    CHECK(chosen.size() == static_cast<std::size_t>(std::min(n, count)));
    CHECK(std::set<Index>(chosen.begin(), chosen.end()).size() == chosen.size());
    CHECK(*std::max_element(chosen.begin(), chosen.end()) < n);
  }
  const Dense vectors = basin::test::F7().weight;
  const auto found = basin::KMeans{.max_iterations = 0}.cluster<double>(
      vectors, basin::EuclideanBlocks::identity(16, 16), 8, random);
  std::set<int> codes(found.codes.begin(), found.codes.end());
  CHECK(codes.size() == 8);  // every vector is its own codeword
}

TEST_CASE("Seeds choose the start", "[init][property]") {
  basin::test::Rng rng(22);
  const auto made = basin::test::synthetic_layer(16, 16, rng);
  const basin::LayerObjective<double> layer(made.weight, made.hessian, 4);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  const auto blocks = basin::EuclideanBlocks::identity(16, 4);
  const auto a = basin::Greedy{}.initialize(layer, blocks, scheme, 1, basin::RunContext{});
  const auto b = basin::Greedy{}.initialize(layer, blocks, scheme, 2, basin::RunContext{});
  CHECK_FALSE(a.codebooks.values() == b.codebooks.values());
}

TEST_CASE("Greedy with fewer groups than codewords fits them all", "[init][property]") {
  basin::test::Rng rng(23);
  const Dense weight = basin::test::normal_matrix<double>(2, 12, rng);
  const basin::LayerObjective<double> layer(weight, Dense::Identity(12, 12), 4);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const auto got = basin::Greedy{}.initialize(layer, basin::EuclideanBlocks::identity(12, 4), scheme, 0, basin::RunContext{});
  CHECK(layer.relative_error(layer.loss(got.decode())) <= 1e-28);
  CHECK(got.codebooks.codebook(0).bottomRows(10).isZero(0));
}

TEST_CASE("Padded inputs count for nothing in k-means", "[init][property]") {
  // With the padding in the distance the last group would be drawn to zero in its padded places.
  basin::test::Rng rng(24);
  const Dense weight = basin::test::normal_matrix<double>(40, 6, rng).array() + 3;
  const basin::LayerObjective<double> layer(weight, Dense::Identity(6, 6), 4);
  const basin::Scheme scheme{.num_codebooks = 1, .bits_per_code = 1, .in_group_size = 4};
  const auto got = basin::Greedy{}.initialize(layer, basin::EuclideanBlocks::identity(6, 4), scheme, 0, basin::RunContext{});
  // All entries are near 3 / norm: no codeword is drawn towards the zeros of the padding.
  const double smallest = got.codebooks.values().minCoeff() * got.scales.mean();
  CHECK(smallest > 1);
}
