#include <basin/codebook/weighted_em.hpp>  // first: proves the header stands alone

#include <basin/codebook/k_means.hpp>
#include <basin/metric/euclidean_blocks.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <stop_token>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::Clustering;
using basin::HessianBlocks;
using basin::Index;
using basin::WeightedEm;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using Code = basin::Codes::value_type;
using Dense = basin::Matrix<double>;
using Weights = basin::Vector<double>;

namespace {
/// Vectors, a metric for each of their groups, and a start that is the first K vectors.
struct Case {
  Dense vectors;
  HessianBlocks blocks;
  Clustering<double> start;

  Case(Index rows, Index groups, Index g, Index out_group, Index size, double cond, std::uint64_t seed) {
    basin::test::Rng rng(seed);
    vectors = basin::test::normal_matrix<double>(rows * groups, g * out_group, rng);
    blocks = HessianBlocks(groups, g);
    for (Index j = 0; j < groups; ++j)
      blocks.block(j) = std::exp(rng.normal()) * basin::test::spd_matrix<double>(g, cond, rng);
    start.codewords = Dense::Zero(size, g * out_group);
    start.codewords.topRows(std::min(size, vectors.rows())) = vectors.topRows(std::min(size, vectors.rows()));
    start.codes.resize(static_cast<std::size_t>(vectors.rows()));
    basin::assign<double>(vectors, start.codewords, blocks, start.codes);
  }
  [[nodiscard]] double objective(const Clustering<double>& c, const Weights& weights = {}) const {
    return basin::clustering_objective<double>(vectors, c.codewords, c.codes, blocks, weights);
  }
  [[nodiscard]] Clustering<double> after(const WeightedEm& em, const Weights& weights = {}) const {
    Clustering<double> clustering = start;
    em.refine<double>(vectors, blocks, weights, clustering);
    return clustering;
  }
};
Dense rows(std::initializer_list<std::initializer_list<double>> values) {
  Dense m(static_cast<Index>(values.size()), static_cast<Index>(values.begin()->size()));
  Index r = 0;
  for (const auto& row : values) {
    Index c = 0;
    for (const double value : row) m(r, c++) = value;
    ++r;
  }
  return m;
}
}  // namespace

TEST_CASE("The exact M-step gives the centroids computed by hand", "[codebook][reference]") {
  HessianBlocks blocks(2, 2);
  const std::vector<Code> codes{0, 0};
  const auto centroid = [&](const Dense& vectors) {
    Clustering<double> clustering{Dense::Zero(1, 2), codes};
    WeightedEm{}.maximize<double>(vectors, blocks, {}, clustering);
    return clustering;
  };
  const auto objective = [&](const Dense& vectors, const Dense& codewords) {
    return basin::clustering_objective<double>(vectors, codewords, codes, blocks, {});
  };

  blocks.block(0) = rows({{4, 0}, {0, 1}});
  blocks.block(1) = rows({{1, 0}, {0, 4}});
  const Dense unit = rows({{1, 0}, {0, 1}});
  auto found = centroid(unit);
  CHECK_THAT(found.codewords(0, 0), WithinRel(0.8, 1e-14));
  CHECK_THAT(found.codewords(0, 1), WithinRel(0.8, 1e-14));
  CHECK_THAT(objective(unit, found.codewords), WithinRel(1.6, 1e-14));
  CHECK_THAT(objective(unit, rows({{0.5, 0.5}})), WithinRel(2.5, 1e-14));

  blocks.block(0) = rows({{2, 1}, {1, 2}});
  blocks.block(1) = rows({{1, 0}, {0, 3}});
  const Dense vectors = rows({{1, 2}, {3, -1}});
  found = centroid(vectors);
  CHECK_THAT(found.codewords(0, 0), WithinRel(33.0 / 14, 1e-14));
  CHECK_THAT(found.codewords(0, 1), WithinRel(-1.0 / 14, 1e-13));
  CHECK_THAT(objective(vectors, found.codewords), WithinRel(135.0 / 14, 1e-14));
  CHECK_THAT(objective(vectors, rows({{2, 0.5}})), WithinRel(11.25, 1e-14));
}

TEST_CASE("Row weights move a centroid as in weighted k-means", "[codebook][reference]") {
  const Dense vectors = rows({{0, 0}, {3, 0}, {0, 6}});
  const Weights weights = (Weights(3) << 1, 2, 1).finished();
  Clustering<double> clustering{Dense::Zero(1, 2), {0, 0, 0}};
  WeightedEm{}.maximize<double>(vectors, basin::EuclideanBlocks::identity(2, 2), weights, clustering);
  CHECK_THAT(clustering.codewords(0, 0), WithinRel(1.5, 1e-14));
  CHECK_THAT(clustering.codewords(0, 1), WithinRel(1.5, 1e-14));
}

TEST_CASE("No half-step of exact EM raises F", "[codebook][property]") {
  const Index out_group = GENERATE(1, 2);
  const double cond = GENERATE(1.0, 1e3, 1e8);
  const bool weighted = GENERATE(false, true);
  const auto empty = GENERATE(basin::EmptyClusters::keep, basin::EmptyClusters::reseed);
  CAPTURE(out_group, cond, weighted);
  const Case c(30, 4, 3, out_group, 12, cond, 41);
  Weights weights;
  if (weighted) weights = Weights::LinSpaced(30, 0.1, 4);
  Clustering<double> clustering = c.start;
  const auto report = WeightedEm{.max_rounds = 12, .empty = empty, .record_trace = true}.refine<double>(
      c.vectors, c.blocks, weights, clustering);
  REQUIRE(report.trace.size() == static_cast<std::size_t>(2 * report.rounds + 1));
  for (std::size_t i = 1; i < report.trace.size(); ++i)
    CHECK(report.trace[i] <= report.trace[i - 1] * (1 + 1e-10));
  CHECK(report.trace.back() < 0.9 * report.trace.front());
  CHECK_THAT(report.trace.back(), WithinRel(c.objective(clustering, weights), 1e-12));
}

TEST_CASE("The M-step solves its normal equations, and every step aside costs", "[codebook][property]") {
  const Case c(40, 5, 4, 2, 9, 1e4, 42);
  Clustering<double> clustering = c.start;
  WeightedEm{}.maximize<double>(c.vectors, c.blocks, {}, clustering);
  const auto statistics = basin::cluster_statistics<double>(c.vectors, clustering.codes, 9, c.blocks, {});
  const double least = c.objective(clustering);
  basin::test::Rng rng(1);
  for (Index k = 0; k < 9; ++k) {
    const basin::ConstMatrixMap<double> codeword(clustering.codewords.row(k).data(), 2, 4);
    const Dense a = statistics.normal_matrix(k), y = statistics.right_side(k);
    CHECK((codeword * a - y).norm() <= 1e-10 * (a.norm() * codeword.norm() + y.norm()));
    if (statistics.count[static_cast<std::size_t>(k)] == 0) continue;
    Clustering<double> moved = clustering;
    moved.codewords.row(k) += 1e-3 * basin::test::normal_matrix<double>(1, 8, rng);
    CHECK(c.objective(moved) > least);
  }
}

TEST_CASE("Statistics are sums over the vectors of a cluster", "[codebook][reference]") {
  const Case c(13, 3, 2, 2, 4, 10, 43);
  const Weights weights = Weights::LinSpaced(13, 1, 2);
  const auto got = basin::cluster_statistics<double>(c.vectors, c.start.codes, 4, c.blocks, weights);
  for (Index k = 0; k < 4; ++k) {
    Dense a = Dense::Zero(2, 2), y = Dense::Zero(2, 2);
    Index count = 0;
    for (Index n = 0; n < c.vectors.rows(); ++n)
      if (c.start.codes[static_cast<std::size_t>(n)] == k) {
        const Dense v = basin::ConstMatrixMap<double>(c.vectors.row(n).data(), 2, 2);
        a += weights(n / 3) * c.blocks.block(n % 3);
        y += weights(n / 3) * v * c.blocks.block(n % 3);
        ++count;
      }
    CHECK(got.count[static_cast<std::size_t>(k)] == count);
    CHECK((got.normal_matrix(k) - a).norm() <= 1e-13 * a.norm());
    CHECK((got.right_side(k) - y).norm() <= 1e-12 * (1 + y.norm()));
  }
}

TEST_CASE("Adam stays above the exact M-step and within its reach", "[codebook][property]") {
  const Case c(30, 4, 4, 1, 6, 1e2, 44);
  Clustering<double> exact = c.start;
  WeightedEm{}.maximize<double>(c.vectors, c.blocks, {}, exact);
  const double least = c.objective(exact);
  for (const double rate : {1e-5, 1e-4, 1e-2}) {
    Clustering<double> adam = c.start;
    WeightedEm{.m_step = basin::MStep::adam, .adam = {.learning_rate = rate}}.maximize<double>(
        c.vectors, c.blocks, {}, adam);
    CAPTURE(rate);
    CHECK(c.objective(adam) >= least * (1 - 1e-12));
    CHECK(c.objective(adam) < c.objective(c.start));
    const double moved = (adam.codewords - c.start.codewords).cwiseAbs().maxCoeff();
    CHECK(moved <= 1.5 * 5.545e-3 * (rate / 1e-4));
    CHECK(moved >= 0.2 * 5.545e-3 * (rate / 1e-4) * (rate < 1e-2 ? 1 : 0));  // and it does move
  }
  Clustering<double> patient = c.start;
  WeightedEm{.m_step = basin::MStep::adam, .adam = {.steps = 4000, .learning_rate = 3e-2}}.maximize<double>(
      c.vectors, c.blocks, {}, patient);
  CHECK_THAT(c.objective(patient), WithinRel(least, 1e-6));
}

TEST_CASE("Adam's steps are those of the formula", "[codebook][reference]") {
  // One vector at 1, one codeword at 0, H = 3: loss 3 (c - 1)^2.
  HessianBlocks blocks(1, 1);
  blocks.block(0)(0, 0) = 3;
  Clustering<double> clustering{Dense::Zero(1, 1), {0}};
  WeightedEm{.m_step = basin::MStep::adam, .adam = {.steps = 3, .learning_rate = 0.1}}.maximize<double>(
      Dense::Ones(1, 1), blocks, {}, clustering);
  double c = 0, m = 0, v = 0;
  for (int t = 0; t < 3; ++t) {
    const double gradient = 6 * (c - 1);
    m = 0.9 * m + 0.1 * gradient;
    v = 0.999 * v + 0.001 * gradient * gradient;
    const double rate = 0.01 + 0.09 * (1 + std::cos(3.14159265358979323846 * t / 3)) / 2;
    c -= rate * (m / (1 - std::pow(0.9, t + 1))) / (std::sqrt(v / (1 - std::pow(0.999, t + 1))) + 1e-8);
  }
  CHECK_THAT(clustering.codewords(0, 0), WithinRel(c, 1e-12));
}

TEST_CASE("Under a multiple of the identity EM is Lloyd's k-means", "[codebook][property]") {
  Case c(40, 3, 4, 1, 7, 1, 45);
  const double scale = GENERATE(1.0, 0.37);
  for (Index j = 0; j < 3; ++j) c.blocks.block(j) = scale * 1.01 * Dense::Identity(4, 4);
  basin::assign<double>(c.vectors, c.start.codewords, c.blocks, c.start.codes);
  const Clustering<double> got = c.after({.max_rounds = 5});

  Clustering<double> lloyd = c.start;
  for (int round = 0; round < 5; ++round) {
    Dense sums = Dense::Zero(7, 4);
    std::vector<double> count(7);
    for (Index n = 0; n < c.vectors.rows(); ++n) {
      sums.row(lloyd.codes[static_cast<std::size_t>(n)]) += c.vectors.row(n);
      ++count[lloyd.codes[static_cast<std::size_t>(n)]];
    }
    for (Index k = 0; k < 7; ++k)
      if (count[static_cast<std::size_t>(k)] > 0)
        lloyd.codewords.row(k) = sums.row(k) / count[static_cast<std::size_t>(k)];
    for (Index n = 0; n < c.vectors.rows(); ++n) {
      Index nearest;
      (lloyd.codewords.rowwise() - c.vectors.row(n)).rowwise().squaredNorm().minCoeff(&nearest);
      lloyd.codes[static_cast<std::size_t>(n)] = static_cast<Code>(nearest);
    }
  }
  CHECK(got.codes == lloyd.codes);
  CHECK((got.codewords - lloyd.codewords).cwiseAbs().maxCoeff() <= 1e-12);
  Clustering<double> shared = c.start;
  WeightedEm{.max_rounds = 5}.refine<double>(c.vectors, basin::EuclideanBlocks::identity(4, 4), {}, shared);
  CHECK(shared.codes == lloyd.codes);
}

TEST_CASE("EM follows a permutation of its vectors", "[codebook][property]") {
  const Case c(20, 2, 4, 1, 5, 50, 46);
  Case reversed = c;
  for (Index o = 0; o < 20; ++o)
    reversed.vectors.middleRows(2 * o, 2) = c.vectors.middleRows(2 * (19 - o), 2);
  basin::assign<double>(reversed.vectors, reversed.start.codewords, reversed.blocks, reversed.start.codes);
  const auto a = c.after({}), b = reversed.after({});
  for (Index o = 0; o < 20; ++o)
    for (Index j = 0; j < 2; ++j)
      CHECK(a.codes[static_cast<std::size_t>(2 * o + j)] ==
            b.codes[static_cast<std::size_t>(2 * (19 - o) + j)]);
}

TEST_CASE("dead codewords: empty clusters stay put or move where they help most", "[codebook][property][pitfall]") {
  Case c(25, 2, 3, 1, 8, 10, 47);
  c.start.codewords.bottomRows(5).rowwise() = c.start.codewords.row(0);  // copies: the first one wins all
  basin::assign<double>(c.vectors, c.start.codewords, c.blocks, c.start.codes);
  Clustering<double> kept = c.start, seeded = c.start;
  WeightedEm{}.maximize<double>(c.vectors, c.blocks, {}, kept);
  CHECK(kept.codewords.bottomRows(5) == c.start.codewords.bottomRows(5));

  const double before = c.objective(kept);
  seeded = kept;
  const Index moved = basin::reseed_empty<double>(c.vectors, c.blocks, {}, seeded.codewords, seeded.codes);
  CHECK(moved == 5);
  CHECK(c.objective(seeded) < before);
  CHECK(std::set<Code>(seeded.codes.begin(), seeded.codes.end()).size() == 8);
  // The first codeword to move is on the vector that was served worst.
  const auto shares =
      basin::clustering_distances<double>(c.vectors, kept.codewords, kept.codes, c.blocks, {});
  const auto worst = std::max_element(shares.begin(), shares.end()) - shares.begin();
  CHECK(seeded.codewords.row(3) == c.vectors.row(worst));
}

TEST_CASE("Reseeding uses equal vectors once and leaves lone vectors alone", "[codebook][property]") {
  const Dense vectors = rows({{0.0}, {0.0}, {9.0}, {9.0}, {9.0}, {30.0}});
  const auto blocks = basin::EuclideanBlocks::identity(1, 1);
  Dense codewords = rows({{1.0}, {29.0}, {50.0}, {60.0}, {70.0}});
  std::vector<Code> codes{0, 0, 0, 0, 0, 1};
  CHECK(basin::reseed_empty<double>(vectors, blocks, {}, codewords, codes) == 2);
  CHECK(codewords == rows({{1.0}, {29.0}, {9.0}, {0.0}, {70.0}}));
  CHECK(codes == std::vector<Code>{3, 0, 2, 0, 0, 1});
}

TEST_CASE("K > N: EM with fewer vectors than codewords fits them all and flags the rest", "[codebook][property][pitfall]") {
  const Case c(3, 2, 4, 1, 16, 10, 48);
  Clustering<double> clustering = c.start;
  const auto report = WeightedEm{}.refine<double>(c.vectors, c.blocks, {}, clustering);
  CHECK_THAT(c.objective(clustering), WithinAbs(0, 1e-28));
  CHECK(std::count(report.dead.begin(), report.dead.end(), 1) == 10);
  CHECK(clustering.codewords.bottomRows(10).isZero(0));
}

TEST_CASE("EM stops where nothing would change", "[codebook][property]") {
  const Case c(30, 1, 2, 1, 4, 1, 49);
  Clustering<double> clustering = c.start;
  const auto report = WeightedEm{.max_rounds = 1000}.refine<double>(c.vectors, c.blocks, {}, clustering);
  CHECK(report.rounds < 200);
  Clustering<double> again = clustering;
  WeightedEm{.max_rounds = 1}.refine<double>(c.vectors, c.blocks, {}, again);
  CHECK(again.codes == clustering.codes);
  CHECK(again.codewords == clustering.codewords);

  Clustering<double> hasty = c.start;
  CHECK(
      WeightedEm{.max_rounds = 1000, .tolerance = 0.5}.refine<double>(c.vectors, c.blocks, {}, hasty).rounds <
      report.rounds);
}

TEST_CASE("EM gives the same bits on any number of threads", "[codebook][property]") {
  const Case c(300, 7, 4, 1, 16, 1e3, 50);
  Clustering<double> want = c.start, pooled;
  const WeightedEm em{.max_rounds = 4, .empty = basin::EmptyClusters::reseed, .record_trace = true};
  const auto report = em.refine<double>(c.vectors, c.blocks, {}, want);
  for (const Index count : {1, 2, 7}) {
    basin::test::Threads threads{count};
    pooled = c.start;
    const auto other = em.refine<double>(c.vectors, c.blocks, {}, pooled, {.executor = threads});
    CHECK(pooled.codes == want.codes);
    CHECK(pooled.codewords == want.codewords);
    CHECK(other.trace == report.trace);
  }
}

TEST_CASE("EM solves what a semidefinite metric leaves open by staying put", "[codebook][property]") {
  HessianBlocks blocks(1, 2);
  blocks.block(0)(0, 0) = 2;  // the second input is dead and undamped
  const Dense vectors = rows({{1, 5}, {3, 7}});
  Clustering<double> clustering{rows({{0, 4}}), {0, 0}};
  WeightedEm{}.maximize<double>(vectors, blocks, {}, clustering);
  CHECK_THAT(clustering.codewords(0, 0), WithinRel(2.0, 1e-9));
  CHECK_THAT(clustering.codewords(0, 1), WithinRel(4.0, 1e-9));
}

TEST_CASE("EM stops on request and names weights that do not fit", "[codebook][bad-input]") {
  const Case c(4, 2, 2, 1, 2, 1, 51);
  Clustering<double> clustering = c.start;
  std::stop_source source;
  source.request_stop();
  const basin::RunContext stopped{.stop = source.get_token()};
  CHECK_THROWS_AS(WeightedEm{}.refine<double>(c.vectors, c.blocks, {}, clustering, stopped),
                  basin::Cancelled);
  const Weights wrong = Weights::Ones(8);
  CHECK_THROWS_WITH(WeightedEm{}.refine<double>(c.vectors, c.blocks, wrong, clustering),
                    basin::test::contains_text("each of 4 rows, got 8"));
}
