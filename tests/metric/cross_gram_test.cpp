#include <basin/metric/cross_gram.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::CrossGramAccumulator;
using basin::Index;
using Dense = basin::Matrix<double>;

TEST_CASE("CrossGramAccumulator streams to Z^T X / n", "[metric][reference]") {
  const Index n_left = GENERATE(1, 5, 256, 260), n_right = GENERATE(1, 7, 300);  // around a tile
  CAPTURE(n_left, n_right);
  basin::test::Rng rng(61);
  const auto left = basin::test::normal_matrix<float>(1200, n_left, rng);  // beyond a step
  const auto right = basin::test::normal_matrix<float>(1200, n_right, rng);
  CrossGramAccumulator cross(n_left, n_right);
  CHECK(cross.mean() == Dense::Zero(n_left, n_right));
  Index begin = 0;
  for (const Index rows : {1, 0, 60, 1139}) {
    cross.add(left.middleRows(begin, rows), right.middleRows(begin, rows));
    begin += rows;
  }
  CHECK(cross.num_tokens() == 1200);
  const Dense z = left.cast<double>(), x = right.cast<double>();
  const Dense want = z.transpose() * x / 1200, size = z.cwiseAbs().transpose() * x.cwiseAbs() / 1200;
  const Dense got = cross.mean();
  CHECK(((got - want).array().abs() <= 1200 * std::numeric_limits<double>::epsilon() * size.array()).all());
}

TEST_CASE("CrossGramAccumulator gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(62);
  const auto left = basin::test::normal_matrix<float>(40, 300, rng), right = basin::test::normal_matrix<float>(40, 530, rng);
  CrossGramAccumulator serial(300, 530);
  serial.add(left, right);
  for (const Index count : {2, 7}) {
    basin::test::Threads threads{count};
    CrossGramAccumulator pooled(300, 530);
    pooled.add(left, right, {.executor = threads});
    CHECK(pooled.mean() == serial.mean());
  }
}

TEST_CASE("CrossGramAccumulator refuses a bad batch and stays as it was", "[metric][bad-input]") {
  using basin::test::contains_text;
  using Batch = basin::Matrix<float>;
  basin::test::Rng rng(63);
  CrossGramAccumulator cross(2, 3);
  cross.add(basin::test::normal_matrix<float>(4, 2, rng), basin::test::normal_matrix<float>(4, 3, rng));
  const Dense before = cross.mean();
  CHECK_THROWS_WITH(cross.add(Batch::Zero(4, 3), Batch::Zero(4, 3)), contains_text("[t, 2] and [t, 3], got [4, 3]"));
  CHECK_THROWS_AS(cross.add(Batch::Zero(4, 2), Batch::Zero(5, 3)), basin::ShapeError);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Batch batch = Batch::Zero(4, 2);
    batch(3, 1) = bad;
    CHECK_THROWS_AS(cross.add(batch, Batch::Zero(4, 3)), basin::ValueError);
    batch.resize(4, 3);
    batch.setConstant(bad);
    CHECK_THROWS_WITH(cross.add(Batch::Zero(4, 2), batch), contains_text("not finite"));
  }
  CHECK_THROWS_AS(CrossGramAccumulator(0, 3), basin::ShapeError);
  CHECK_THROWS_AS(CrossGramAccumulator(3, 0), basin::ShapeError);
  CHECK(cross.mean() == before);
  CHECK(cross.num_tokens() == 4);
}
