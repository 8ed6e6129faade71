#include <basin/metric/kl_divergence.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::KlDivergence;
using Logits = basin::Matrix<float>;

namespace {
/// By the definition, in long double.
template <class Row>
long double divergence(const Row& original, const Row& changed) {
  long double p_total = 0, q_total = 0, sum = 0;
  for (Index v = 0; v < original.size(); ++v) {
    p_total += std::exp(static_cast<long double>(original(v)));
    q_total += std::exp(static_cast<long double>(changed(v)));
  }
  for (Index v = 0; v < original.size(); ++v) {
    const long double p = std::exp(static_cast<long double>(original(v))) / p_total, q = std::exp(static_cast<long double>(changed(v))) / q_total;
    sum += p * (std::log(p) - std::log(q));
  }
  return sum;
}
}  // namespace

TEST_CASE("KlDivergence streams to the mean of the definition", "[metric][reference]") {
  const Index vocabulary = GENERATE(1, 2, 37, 4000);
  const float size = GENERATE(0.01f, 1.0f, 30.0f);
  CAPTURE(vocabulary, size);
  basin::test::Rng rng(11);
  const Logits original = 3 * basin::test::normal_matrix<float>(21, vocabulary, rng);
  const Logits changed = original + size * basin::test::normal_matrix<float>(21, vocabulary, rng);
  KlDivergence kl;
  CHECK(kl.mean() == 0);
  long double want = 0, bound = 0;
  Index begin = 0;
  for (const Index rows : {1, 0, 20}) {
    kl.add(original.middleRows(begin, rows), changed.middleRows(begin, rows));
    for (Index t = begin; t < begin + rows; ++t) {
      want += divergence(original.row(t), changed.row(t)) / 21;
      bound += static_cast<long double>(vocabulary + 8) * std::numeric_limits<double>::epsilon() *
               (1 + static_cast<long double>((original.row(t) - changed.row(t)).cwiseAbs().maxCoeff())) / 21;
    }
    begin += rows;
  }
  CHECK(kl.num_tokens() == 21);
  CHECK(std::abs(static_cast<long double>(kl.mean()) - want) <= bound);
}

TEST_CASE("KlDivergence sees no difference in logits that are equal or shifted", "[metric][property]") {
  basin::test::Rng rng(12);
  const Logits original = basin::test::normal_matrix<float>(9, 50, rng);
  KlDivergence kl;
  kl.add(original, original);
  CHECK(kl.mean() == 0);
  kl.add(original, (original.array() + 64).matrix());
  CHECK(kl.mean() >= 0);
  CHECK(kl.mean() < 1e-5);  // adding 64 rounds logits to 64 * 2^-24
  KlDivergence far;
  far.add(Logits{{1000, -1000}}, Logits{{-1000, 1000}});
  CHECK(far.mean() == Approx(2000));
}

TEST_CASE("KlDivergence gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(13);
  const Logits a = basin::test::normal_matrix<float>(61, 300, rng), b = basin::test::normal_matrix<float>(61, 300, rng);
  KlDivergence serial;
  serial.add(a, b);
  for (const Index count : {2, 7}) {
    basin::test::Threads threads{count};
    KlDivergence pooled;
    pooled.add(a, b, {.executor = threads});
    CHECK(pooled.mean() == serial.mean());
  }
}

TEST_CASE("KlDivergence refuses bad logits and stays as it was", "[metric][bad-input]") {
  using basin::test::contains_text;
  KlDivergence kl;
  kl.add(Logits{{1, 2}}, Logits{{2, 1}});
  const double before = kl.mean();
  CHECK_THROWS_WITH(kl.add(Logits::Zero(2, 3), Logits::Zero(2, 4)), contains_text("[2, 3] and [2, 4]"));
  CHECK_THROWS_AS(kl.add(Logits::Zero(2, 0), Logits::Zero(2, 0)), basin::ShapeError);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Logits logits = Logits::Zero(3, 2);
    logits(1, 1) = bad;
    CHECK_THROWS_WITH(kl.add(logits, Logits::Zero(3, 2)), contains_text("token 2 are not finite"));
    CHECK_THROWS_AS(kl.add(Logits::Zero(3, 2), logits), basin::ValueError);
  }
  CHECK(kl.mean() == before);
  CHECK(kl.num_tokens() == 1);
}
