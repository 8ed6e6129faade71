#include <basin/codebook/cluster_statistics.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::ClusterStatistics;
using basin::Index;
using Code = basin::Codes::value_type;
using Dense = basin::Matrix<double>;

TEST_CASE("cluster_statistics are the sums of their definition", "[codebook][reference]") {
  const Index g = GENERATE(1, 4, 8), g_out = GENERATE(1, 2), in_groups = GENERATE(1, 3);
  const Index out_groups = GENERATE(5, 4100);  // one range of rows, and more
  const bool weighted = GENERATE(false, true);
  CAPTURE(g, g_out, in_groups, out_groups, weighted);
  constexpr Index size = 6;  // the last codeword has no vectors
  basin::test::Rng rng(81);
  const Dense vectors = basin::test::normal_matrix<double>(out_groups * in_groups, g * g_out, rng);
  basin::HessianBlocks blocks(in_groups, g);
  for (Index j = 0; j < in_groups; ++j) blocks.block(j) = basin::test::spd_matrix<double>(g, 10, rng);
  std::vector<Code> codes;
  for (Index n = 0; n < vectors.rows(); ++n) codes.push_back(static_cast<Code>(rng.below(size - 1)));
  basin::Vector<double> weights;
  if (weighted) weights = basin::test::normal_vector<double>(out_groups, rng).cwiseAbs();

  ClusterStatistics want(size, g * g_out, g);
  for (Index n = 0; n < vectors.rows(); ++n) {
    const Index k = codes[static_cast<std::size_t>(n)];
    const double w = weighted ? weights(n / in_groups) : 1.0;
    const Dense h = w * blocks.block(n % in_groups);
    for (Index a = 0; a < g; ++a)
      for (Index b = 0; b < g; ++b) {
        want.a(k, a * g + b) += h(a, b);
        for (Index p = 0; p < g_out; ++p) want.y(k, p * g + a) += h(a, b) * vectors(n, p * g + b);
      }
    want.mass(k) += w;
    ++want.count[static_cast<std::size_t>(k)];
  }
  const auto got = basin::cluster_statistics<double>(vectors, codes, size, blocks, weights);
  const double rounding = 1e-15 * static_cast<double>(vectors.rows());
  CHECK((got.a - want.a).norm() <= rounding * want.a.norm());
  CHECK((got.y - want.y).norm() <= rounding * static_cast<double>(g) * (want.y.norm() + want.a.norm()));
  CHECK((got.mass - want.mass).norm() <= rounding * want.mass.norm());
  CHECK(got.count == want.count);
  CHECK(got.a.row(size - 1).isZero(0));
  CHECK(got.normal_matrix(1)(0, g - 1) == got.a(1, g - 1));
  CHECK(got.right_side(1)(g_out - 1, 0) == got.y(1, (g_out - 1) * g));

  basin::test::Threads threads{3};
  const auto shared = basin::cluster_statistics<double>(vectors, codes, size, blocks, weights, {.executor = threads});
  CHECK(shared.a == got.a);
  CHECK(shared.y == got.y);
  ClusterStatistics twice = got;
  twice += got;
  CHECK(twice.y == 2 * got.y);
  CHECK(twice.count[0] == 2 * got.count[0]);
}
