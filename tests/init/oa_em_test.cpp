#include <basin/init/oa_em.hpp>  // first: proves the header stands alone

#include <basin/codebook/row_scales.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/euclidean_blocks.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using basin::Index;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;
using Catch::Matchers::WithinRel;

namespace {
const basin::Scheme f7_scheme{.num_codebooks = 2, .bits_per_code = 2, .in_group_size = 4};
const basin::Greedy first_vectors{.max_iterations = 0, .start = basin::KMeansStart::first_vectors};

template <class Init>
Weight start(const Init& init, const Layer& layer, const basin::HessianBlocks& blocks,
             const basin::Scheme& scheme, std::uint64_t seed = 0) {
  return init.initialize(layer, blocks, scheme, seed, basin::RunContext{});
}
double relative_error(const Layer& layer, const Weight& weight) {
  return layer.relative_error(layer.loss(weight.decode()));
}
bool same(const Weight& a, const Weight& b) {
  return a.codes == b.codes && a.codebooks.values() == b.codebooks.values() && a.scales == b.scales;
}
}  // namespace

TEST_CASE("OaEm reproduces the golden traces of the 8 x 16 layer", "[init][reference]") {
  const basin::test::F7 f7;
  const Layer layer(f7.weight, f7.hessian, 4);
  const basin::HessianBlocks blocks = basin::DiagonalBlocks{}.blocks(f7.hessian, 4);
  const std::vector<std::vector<double>> traces{
      {69.9824601419, 51.1500384605, 47.5443085178, 43.0209231473, 42.3689761711, 38.2685683196, 37.0920366876},
      {36.7774331179, 26.8501579504, 26.0749597762, 25.6230253044, 25.1694841195, 24.7579658922, 24.7274486564}};
  const std::vector<std::vector<int>> counts{{5, 10, 12, 5}, {2, 3, 18, 9}};

  // Codebook by codebook, to see the trace.
  const auto scales = basin::row_scales<double>(f7.weight, 1);
  Dense residual = basin::normalized_groups<double>(f7.weight, scales, 4, 1);
  for (std::size_t m = 0; m < 2; ++m) {
    auto clustering = first_vectors.cluster(layer, f7_scheme, static_cast<Index>(m), residual, 0, {});
    const auto report = basin::WeightedEm{.max_rounds = 3, .record_trace = true}.refine<double>(
        residual, blocks, {}, clustering);
    REQUIRE(report.trace.size() == 7);
    for (std::size_t i = 0; i < 7; ++i) {
      CAPTURE(m, i);
      CHECK_THAT(report.trace[i], WithinRel(traces[m][i], 1e-9));
    }
    const double recomputed =
        basin::clustering_objective<double>(residual, clustering.codewords, clustering.codes, blocks, {});
    CHECK_THAT(report.trace.back(), WithinRel(recomputed, 1e-12));
    std::vector<int> count(4);
    for (const auto code : clustering.codes) ++count[code];
    CHECK(count == counts[m]);
    for (Index n = 0; n < residual.rows(); ++n)
      residual.row(n) -= clustering.codewords.row(clustering.codes[static_cast<std::size_t>(n)]);
  }

  const Weight weight = start(basin::OaEm{.rounds = 3, .kmeans = first_vectors}, layer, blocks, f7_scheme);
  const std::array<int, 8> row0{2, 0, 2, 1, 2, 2, 3, 3};
  for (std::size_t i = 0; i < 8; ++i) CHECK(int{weight.codes.row(0)[i]} == row0[i]);
  const std::array<double, 4> c00{-.13427813953, -.243646547365, -.132839221543, -.334240298426};
  const std::array<double, 4> c10{.373499158811, -.473112350168, .192407254549, .0144702311779};
  for (Index d = 0; d < 4; ++d) {
    CHECK_THAT(weight.codebooks.codeword(0, 0)[d], WithinRel(c00[static_cast<std::size_t>(d)], 1e-9));
    CHECK_THAT(weight.codebooks.codeword(1, 0)[d], WithinRel(c10[static_cast<std::size_t>(d)], 1e-9));
  }
  CHECK_THAT(layer.loss(weight.decode()), WithinRel(400.526372021, 1e-9));
  CHECK_THAT(static_cast<double>(basin::test::layer_loss(f7.weight, weight.decode(), f7.hessian)),
             WithinRel(400.526372021, 1e-9));

  const basin::LayerObjective<float> layer32(f7.weight.cast<float>(), f7.hessian, 4);
  const auto weight32 =
      basin::OaEm{.rounds = 3, .kmeans = first_vectors}.initialize(layer32, blocks, f7_scheme, 0, basin::RunContext{});
  CHECK_THAT(layer32.loss(weight32.decode()), WithinRel(400.526372021, 1e-4));
}

TEST_CASE("OaEm without rounds, or without a metric, is greedy bit for bit", "[init][property]") {
  basin::test::Rng rng(5);
  const auto made = basin::test::synthetic_layer(12, 24, rng);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  const Layer layer(made.weight, made.hessian, 4);
  const auto blocks = basin::DiagonalBlocks{}.blocks(made.hessian, 4);
  const basin::Greedy greedy{.max_iterations = 7};
  const Weight plain = start(greedy, layer, blocks, scheme, 3);
  CHECK(same(start(basin::OaEm{.rounds = 0, .kmeans = greedy}, layer, blocks, scheme, 3), plain));
  CHECK(same(start(basin::OaEm{.rounds = 0, .sweeps = 2, .kmeans = greedy}, layer, blocks, scheme, 3), plain));
  CHECK_FALSE(same(start(basin::OaEm{.rounds = 1, .kmeans = greedy}, layer, blocks, scheme, 3), plain));

  const Dense zero = Dense::Zero(24, 24);
  const Layer dead(made.weight, zero, 4);
  for (const auto& nothing : {basin::DiagonalBlocks{}.blocks(zero, 4), basin::ConditionalBlocks{}.blocks(zero, 4)})
    CHECK(same(start(basin::OaEm{.rounds = 5, .kmeans = greedy}, dead, nothing, scheme, 3), plain));
}

TEST_CASE("Sweeps of OaEm refine every codebook for what the others leave", "[init][reference]") {
  basin::test::Rng rng(11);
  const auto made = basin::test::synthetic_layer(20, 24, rng);
  const basin::Scheme scheme{.num_codebooks = 3, .bits_per_code = 3, .in_group_size = 4};
  const Layer layer(made.weight, made.hessian, 4);
  const auto blocks = basin::ConditionalBlocks{}.blocks(made.hessian, 4);
  Weight want = start(basin::OaEm{.rounds = 4, .row_weighting = true}, layer, blocks, scheme);
  const basin::Vector<double> weights = want.scales.cwiseAbs2();
  const Dense groups = basin::normalized_groups<double>(made.weight, want.scales, 4, 1);
  const auto left = [&](Index without) {
    Dense residual = groups;
    for (Index n = 0; n < groups.rows(); ++n)
      for (Index m = 0; m < 3; ++m)
        if (m != without) residual.row(n) -= want.codebooks.codebook(m).row(want.codes(n / 6, n % 6, m));
    return residual;
  };
  const auto codes_of = [&](Index m) {
    std::vector<basin::Codes::value_type> codes;
    for (Index n = 0; n < groups.rows(); ++n) codes.push_back(want.codes(n / 6, n % 6, m));
    return codes;
  };
  const auto objective = [&] {
    return basin::clustering_objective<double>(left(2), want.codebooks.codebook(2), codes_of(2), blocks, weights);
  };
  double before = objective();
  for (int sweep = 0; sweep < 2; ++sweep) {
    for (Index m = 0; m < 3; ++m) {
      basin::Clustering<double> clustering{want.codebooks.codebook(m), codes_of(m)};
      basin::WeightedEm{.max_rounds = 2}.refine<double>(left(m), blocks, weights, clustering);
      want.codebooks.codebook(m) = clustering.codewords;
      for (Index n = 0; n < groups.rows(); ++n) want.codes(n / 6, n % 6, m) = clustering.codes[static_cast<std::size_t>(n)];
    }
    CHECK(objective() < before);
    before = objective();
  }
  const basin::OaEm swept{.rounds = 4, .row_weighting = true, .sweeps = 2, .sweep_rounds = 2};
  const Weight got = start(swept, layer, blocks, scheme);
  CHECK(got.codes == want.codes);
  CHECK((got.codebooks.values() - want.codebooks.values()).norm() <= 1e-12 * want.codebooks.values().norm());
  basin::test::Threads threads{3};
  CHECK(same(swept.initialize(layer, blocks, scheme, 0, {.executor = threads}), got));
}

TEST_CASE("OaEm does not feel the scale of the Hessian", "[init][property]") {
  basin::test::Rng rng(6);
  const auto made = basin::test::synthetic_layer(16, 24, rng);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 8};
  const double factor = GENERATE(1e-12, 3.0, 1e18);
  CAPTURE(factor);
  const Layer layer(made.weight, made.hessian, 8);
  const Weight a = start(basin::OaEm{}, layer, basin::DiagonalBlocks{}.blocks(made.hessian, 8), scheme);
  const Dense scaled = factor * made.hessian;
  const Weight b = start(basin::OaEm{}, layer, basin::DiagonalBlocks{}.blocks(scaled, 8), scheme);
  CHECK(a.codes == b.codes);
  CHECK((a.codebooks.values() - b.codebooks.values()).cwiseAbs().maxCoeff() <= 1e-12);
}

TEST_CASE("OaEm represents exactly what its codewords can hold", "[init][property]") {
  // 3 distinct groups, 4 codewords, and a start that has them all.
  basin::test::Rng rng(7);
  const Dense groups = basin::test::normal_matrix<double>(3, 4, rng);
  Dense weight(5, 12);
  for (Index o = 0; o < 5; ++o)
    for (Index j = 0; j < 3; ++j) weight.row(o).segment(4 * j, 4) = groups.row(j);
  const Dense inputs = basin::test::normal_matrix<double>(40, 12, rng);
  const Dense hessian = inputs.transpose() * inputs / 40;
  const Layer layer(weight, hessian, 4);
  const basin::Scheme scheme{.num_codebooks = 1, .bits_per_code = 2, .in_group_size = 4};
  const auto blocks = basin::DiagonalBlocks{}.blocks(hessian, 4);
  CHECK(relative_error(layer, start(basin::OaEm{.rounds = 3, .kmeans = first_vectors}, layer, blocks, scheme)) <= 1e-28);
}

TEST_CASE("OaEm starts lower than greedy where inputs differ in scale", "[init][property]") {
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 8};
  const basin::OaEm three_rounds{.rounds = 3, .kmeans = {}};
  int exact_wins = 0;
  std::array<double, 3> mean{};
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    basin::test::Rng rng(100 + seed);
    const auto made = basin::test::synthetic_layer(64, 64, rng);
    const Layer layer(made.weight, made.hessian, 8);
    const auto blocks = basin::DiagonalBlocks{}.blocks(made.hessian, 8);
    const double greedy = relative_error(layer, start(basin::Greedy{}, layer, blocks, scheme, seed));
    const double exact = relative_error(layer, start(three_rounds, layer, blocks, scheme, seed));
    const double adam =
        relative_error(layer, start(basin::OaEm{.rounds = 3, .m_step = basin::MStep::adam, .kmeans = {}}, layer, blocks, scheme, seed));
    CAPTURE(seed, greedy, exact, adam);
    exact_wins += exact < greedy ? 1 : 0;
    mean[0] += greedy / 10;
    mean[1] += adam / 10;
    mean[2] += exact / 10;
  }
  CAPTURE(mean[0], mean[1], mean[2]);
  CHECK(exact_wins >= 9);
  CHECK(mean[2] < mean[1]);
  CHECK(mean[1] < mean[0]);
}

TEST_CASE("OaEm weighs rows by their scale when asked to", "[init][property]") {
  basin::test::Rng rng(9);
  auto made = basin::test::synthetic_layer(24, 16, rng);
  for (Index o = 0; o < 24; ++o) made.weight.row(o) *= o < 4 ? 30.0 : 1.0;
  const basin::Scheme scheme{.num_codebooks = 1, .bits_per_code = 2, .in_group_size = 8};
  const Layer layer(made.weight, made.hessian, 8);
  const auto blocks = basin::DiagonalBlocks{}.blocks(made.hessian, 8);
  const Weight plain = start(basin::OaEm{}, layer, blocks, scheme);
  const Weight weighted = start(basin::OaEm{.row_weighting = true}, layer, blocks, scheme);
  CHECK(layer.loss(weighted.decode()) < layer.loss(plain.decode()));

  const auto scales = basin::row_scales<double>(made.weight, 1);
  const Dense groups = basin::normalized_groups<double>(made.weight, scales, 8, 1);
  const basin::OaEm defaults;
  auto clustering = defaults.kmeans.cluster(layer, scheme, 0, groups, 0, basin::RunContext{});
  const basin::Vector<double> weights = scales.cwiseProduct(scales);
  basin::WeightedEm{.max_rounds = defaults.rounds}.refine<double>(groups, blocks, weights, clustering);
  CHECK(weighted.codebooks.values() == clustering.codewords);
}

TEST_CASE("H only PSD: OaEm survives dead inputs, singular Hessians and rows of zeros", "[init][property][pitfall]") {
  basin::test::Rng rng(10);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  Dense weight = basin::test::normal_matrix<double>(10, 14, rng);  // 14 = 3.5 groups of 4
  weight.row(3).setZero();
  const Dense token = basin::test::normal_matrix<double>(1, 14, rng);
  Dense hessian = token.transpose() * token;  // rank 1
  hessian.middleRows(4, 4).setZero();
  hessian.middleCols(4, 4).setZero();
  const Layer layer(weight, hessian, 4);
  for (const auto& blocks : {basin::DiagonalBlocks{}.blocks(hessian, 4), basin::DiagonalBlocks{0}.blocks(hessian, 4),
                             basin::ConditionalBlocks{}.blocks(hessian, 4)})
    for (const auto empty : {basin::EmptyClusters::keep, basin::EmptyClusters::reseed})
      for (const auto m_step : {basin::MStep::exact, basin::MStep::adam}) {
        const Weight start_weight =
            start(basin::OaEm{.m_step = m_step, .empty = empty}, layer, blocks, scheme);
        CHECK(start_weight.codebooks.values().allFinite());
        CHECK(start_weight.decode().row(3).cwiseAbs().maxCoeff() < 1e-6);
      }
}

TEST_CASE("OaEm names shapes that do not fit", "[init][bad-input]") {
  const Layer layer(Dense::Ones(3, 8), Dense::Identity(8, 8), 4);
  const auto blocks = basin::EuclideanBlocks::identity(8, 4);
  const basin::Scheme pairs{.in_group_size = 4, .out_group_size = 2};
  CHECK_THROWS_AS(start(basin::OaEm{}, layer, blocks, pairs), basin::ShapeError);
  CHECK_THROWS_WITH(start(basin::OaEm{}, layer, blocks, pairs), basin::test::contains_text("2 does not divide 3"));
  CHECK_THROWS_WITH(start(basin::Greedy{}, layer, blocks, pairs), basin::test::contains_text("2 does not divide 3"));
  CHECK_THROWS_WITH(start(basin::OaEm{}, layer, basin::EuclideanBlocks::identity(8, 2), {.in_group_size = 4}),
                    basin::test::contains_text("needs 2 metric blocks of 4 inputs, got 4 of 2"));
}
