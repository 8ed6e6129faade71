#include <basin/metric/gram.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using basin::GramAccumulator;
using basin::Index;
using Dense = basin::Matrix<double>;

TEST_CASE("GramAccumulator streams to X^T X / n", "[metric][reference]") {
  const Index n_in = GENERATE(1, 7, 256, 301);  // below, at and beyond a tile
  CAPTURE(n_in);
  basin::test::Rng rng(51);
  const auto inputs = basin::test::normal_matrix<float>(90, n_in, rng);
  GramAccumulator gram(n_in);
  CHECK(gram.hessian() == Dense::Zero(n_in, n_in));
  Index begin = 0;
  for (const Index rows : {1, 0, 40, 49}) {
    gram.add(inputs.middleRows(begin, rows));
    begin += rows;
  }
  CHECK(gram.num_tokens() == 90);
  CHECK(gram.num_batches() == 4);
  const Dense exact = inputs.cast<double>();
  const Dense want = exact.transpose() * exact / 90;
  const Dense got = gram.hessian();
  CHECK(got == got.transpose());
  const double eps = std::numeric_limits<double>::epsilon();
  for (Index i = 0; i < n_in; i += 3)
    for (Index j = 0; j < n_in; ++j)
      CHECK(std::abs(got(i, j) - want(i, j)) <= (90 + 4 * 4) * eps * std::sqrt(want(i, i) * want(j, j)));
}

TEST_CASE("GramAccumulator follows the running mean step by step", "[metric][reference]") {
  basin::test::Rng rng(52);
  GramAccumulator gram(5);
  Dense h = Dense::Zero(5, 5);
  double n = 0;
  for (const Index rows : {3, 1, 6}) {
    const Dense batch = basin::test::normal_matrix<double>(rows, 5, rng);
    gram.add(batch);
    h *= n / (n + static_cast<double>(rows));
    n += static_cast<double>(rows);
    const Dense scaled = batch / std::sqrt(n);
    h += scaled.transpose() * scaled;
    CHECK((gram.hessian() - h).norm() <= 1e-14 * h.norm());
  }
  const basin::test::F7 f7;
  GramAccumulator seven(16);
  seven.add(f7.inputs);
  CHECK_THAT(seven.hessian().trace(), Catch::Matchers::WithinRel(179.77528017, 1e-9));
}

TEST_CASE("GramAccumulator handles batches longer than a step", "[metric][reference]") {
  basin::test::Rng rng(53);
  const Dense inputs = basin::test::normal_matrix<double>(2500, 3, rng);
  GramAccumulator gram(3);
  gram.add(inputs.topRows(100));
  gram.add(inputs.bottomRows(2400));
  const Dense want = inputs.transpose() * inputs / 2500;
  CHECK((gram.hessian() - want).norm() <= 1e-13 * want.norm());
}

TEST_CASE("float32 accumulation of H: GramAccumulators merge in any order to 1e-12", "[metric][property][pitfall]") {
  basin::test::Rng rng(54);
  std::vector<GramAccumulator> parts;
  GramAccumulator whole(20);
  for (const Index rows : {5, 300, 1, 64}) {
    const auto batch = basin::test::normal_matrix<float>(rows, 20, rng);
    parts.emplace_back(20).add(batch);
    whole.add(batch);
  }
  GramAccumulator forward(20), backward(20);
  for (std::size_t i = 0; i < 4; ++i) {
    forward.merge(parts[i]);
    backward.merge(parts[3 - i]);
  }
  CHECK(forward.num_tokens() == 370);
  CHECK(forward.num_batches() == 4);
  const Dense want = whole.hessian();
  CHECK((forward.hessian() - want).norm() <= 1e-12 * want.norm());
  CHECK((backward.hessian() - want).norm() <= 1e-12 * want.norm());
  GramAccumulator again(20);
  for (const auto& part : parts) again.merge(part);
  CHECK(again.hessian() == forward.hessian());
  const Dense before = forward.hessian();
  forward.merge(GramAccumulator(20));
  CHECK(forward.hessian() == before);
}

TEST_CASE("GramAccumulator gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(55);
  const auto batch = basin::test::normal_matrix<float>(30, 700, rng);
  GramAccumulator serial(700);
  serial.add(batch);
  serial.add(batch);
  for (const Index count : {2, 7}) {
    basin::test::Threads threads{count};
    GramAccumulator pooled(700);
    pooled.add(batch, {.executor = threads});
    pooled.add(batch, {.executor = threads});
    CHECK(pooled.hessian() == serial.hessian());
  }
}

TEST_CASE("NaN / Inf: GramAccumulator refuses a bad batch and stays as it was", "[metric][bad-input][pitfall]") {
  basin::test::Rng rng(56);
  GramAccumulator gram(6);
  gram.add(basin::test::normal_matrix<float>(4, 6, rng));
  const Dense before = gram.hessian();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    basin::Matrix<float> batch = basin::test::normal_matrix<float>(4, 6, rng);
    batch(2, 5) = bad;
    CHECK_THROWS_AS(gram.add(batch), basin::ValueError);
    CHECK_THROWS_WITH(gram.add(batch), basin::test::contains_text("batch 1, row 2, column 5 is not finite"));
  }
  Dense huge = Dense::Zero(2, 6);
  huge(1, 3) = -1e200;
  CHECK_THROWS_WITH(gram.add(huge), basin::test::contains_text("row 1, column 3 is beyond 1e150"));
  CHECK_THROWS_WITH(gram.add(Dense::Zero(2, 5)), basin::test::contains_text("[tokens, 6], got [2, 5]"));
  CHECK_THROWS_AS(gram.merge(GramAccumulator(5)), basin::ShapeError);
  CHECK_THROWS_AS(GramAccumulator(0), basin::ShapeError);
  CHECK(gram.hessian() == before);
  CHECK(gram.num_tokens() == 4);
  CHECK(gram.num_batches() == 1);
  gram.add(basin::Matrix<float>::Constant(1, 6, std::numeric_limits<float>::max()));
  CHECK(gram.hessian().allFinite());
}
