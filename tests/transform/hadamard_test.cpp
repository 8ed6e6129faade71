#include <basin/transform/hadamard.hpp>  // first: proves the header stands alone

#include <basin/transform/gaussianity.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "laws/transform_laws.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using namespace basin;
using Catch::Matchers::WithinRel;

namespace {
/// U by its definition, or by the columns that the unit vectors become.
Matrix<double> dense(const HadamardTransform& transform) {
  Matrix<double> u = Matrix<double>::Identity(transform.size(), transform.size());
  transform.apply(u);
  return u;
}
}  // namespace

TEMPLATE_TEST_CASE("Hadamard transforms obey the laws", "[transform][property]", float, double) {
  using T = TestType;
  test::Rng rng(1);
  // Powers of two below and above a vector, every kind of core, and orders that have none.
  for (const Index n : {1, 2, 4, 8, 16, 32, 64, 12, 20, 24, 28, 52, 172, 192, 3, 6, 18, 92})
    for (const auto without : {WithoutHadamard::blocks, WithoutHadamard::orthogonal})
      for (const auto& seed : {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{5}}) {
        CAPTURE(n, seed.has_value());
        test::check_transform_laws<T>(HadamardTransform(n, {.sign_seed = seed, .without = without}), n, rng);
      }
}

TEMPLATE_TEST_CASE("A Hadamard transform is its matrix over sqrt(n)", "[transform][reference]", float, double) {
  using T = TestType;
  const Index n = GENERATE(1, 2, 8, 12, 16, 28, 40, 52, 64, 96, 128, 156, 172, 256, 512, 576, 688, 1024, 1536, 2048, 4096);
  CAPTURE(n);
  test::Rng rng(2);
  const Matrix<T> x = test::normal_matrix<T>(2, n, rng);
  Matrix<T> y = x, back;
  const HadamardTransform transform(n);
  transform.apply(y);
  const auto factors = *hadamard_factors(n);
  const double bound = (factors.power + static_cast<double>(factors.core) + 20) * static_cast<double>(std::numeric_limits<T>::epsilon());
  const Matrix<double> h = hadamard_matrix(n).cast<double>();
  const Matrix<double> want = x.template cast<double>() * h.transpose() / std::sqrt(static_cast<double>(n));
  for (Index r = 0; r < 2; ++r) {
    const double norm = x.row(r).template cast<double>().norm();
    CHECK((y.row(r).template cast<double>() - want.row(r)).cwiseAbs().maxCoeff() <= bound * norm);
    CHECK_THAT(y.row(r).template cast<double>().norm(), WithinRel(norm, bound));
  }
  back = x;
  transform.invert(back);
  const Matrix<double> undone = x.template cast<double>() * h / std::sqrt(static_cast<double>(n));
  CHECK((back.template cast<double>() - undone).cwiseAbs().maxCoeff() <= bound * x.template cast<double>().norm());
}

TEST_CASE("Hadamard transforms have their golden numbers", "[transform][reference]") {
  Matrix<double> x(1, 4);
  x << 1, 2, 3, 4;
  HadamardTransform(4).apply(x);
  Matrix<double> want(1, 4);
  want << 5, -1, -2, 0;
  CHECK(x == want);
  Matrix<double> row = test::F7().weight.row(0);
  HadamardTransform(16).apply(row);
  CHECK_THAT(row(0), WithinRel(0.0291213182807, 1e-9));
  CHECK_THAT(row(1), WithinRel(1.24029674571, 1e-9));
  CHECK_THAT(row(2), WithinRel(-0.0340522357068, 1e-9));
}

TEST_CASE("Norms of long vectors stay", "[transform][property]") {
  test::Rng rng(3);
  for (const Index n : {11008, 13824, 14336, 16384}) {
    CAPTURE(n);
    const HadamardTransform transform(n, {.sign_seed = 4});
    const Matrix<double> x = test::normal_matrix<double>(1, n, rng);
    Matrix<double> y = x;
    Matrix<float> single = x.cast<float>();
    transform.apply(y);
    transform.apply(single);
    CHECK_THAT(y.norm(), WithinRel(x.norm(), 1e-12));
    CHECK_THAT(single.cast<double>().norm(), WithinRel(x.norm(), 1e-5));
    transform.invert(y);
    CHECK((y - x).norm() <= 1e-12 * x.norm());
  }
}

TEST_CASE("Signs come first, from the seed alone", "[transform][property]") {
  test::Rng rng(5);
  const Index n = GENERATE(8, 24, 6);
  const HadamardTransform plain(n), signed_one(n, {.sign_seed = 9});
  const Matrix<double> without = dense(plain), with = dense(signed_one);
  CHECK(with == dense(HadamardTransform(n, {.sign_seed = 9})));
  CHECK(with != dense(HadamardTransform(n, {.sign_seed = 10})));
  CHECK(with != without);
  for (Index i = 0; i < n; ++i) CHECK((with.row(i) == without.row(i) || with.row(i) == -without.row(i)));
}

TEST_CASE("Both signs are drawn alike", "[transform][property]") {
  Matrix<double> x = Matrix<double>::Ones(1, 4096);
  const HadamardTransform plain(4096), signed_one(4096, {.sign_seed = 1});
  signed_one.apply(x);
  plain.invert(x);  // leaves the signs
  CHECK(std::abs(x.sum()) < 4 * 64);
  CHECK((x.cwiseAbs().array() - 1).abs().maxCoeff() < 1e-12);
}

TEST_CASE("A power of two without signs undoes itself", "[transform][property]") {
  test::Rng rng(6);
  const Matrix<double> x = test::normal_matrix<double>(3, 64, rng);
  Matrix<double> y = x;
  const HadamardTransform transform(64);
  transform.apply(y);
  transform.apply(y);
  CHECK((y - x).norm() <= 1e-14 * x.norm());
}

TEST_CASE("A rotation keeps a layer's outputs and its loss", "[transform][property]") {
  test::Rng rng(7);
  const auto layer = test::synthetic_layer(8, 24, rng);
  const HadamardTransform transform(24, {.sign_seed = 2});
  Matrix<double> w = layer.weight, x = test::normal_matrix<double>(5, 24, rng), h = layer.hessian;
  const Matrix<double> outputs = x * w.transpose();
  const double loss = (w * h * w.transpose()).trace();
  transform.apply(w);
  transform.apply(x);
  transform.apply(h);
  h.transposeInPlace();
  transform.apply(h);
  CHECK((x * w.transpose() - outputs).norm() <= 1e-13 * outputs.norm());
  CHECK_THAT((w * h * w.transpose()).trace(), WithinRel(loss, 1e-12));
}

TEST_CASE("A rotation makes rows Gaussian and spreads a single weight", "[transform][property]") {
  test::Rng rng(8);
  const Index n = 4096;
  Matrix<double> row(1, n);
  for (Index i = 0; i < n; ++i) {
    const double u = rng.uniform() - 0.5;
    row(0, i) = (u < 0 ? 1 : -1) * std::log(1 - 2 * std::abs(u));
  }
  CHECK(gaussianity<double>(row).excess_kurtosis > 1.5);
  const HadamardTransform transform(n, {.sign_seed = 3});
  transform.apply(row);
  CHECK(std::abs(gaussianity<double>(row).excess_kurtosis) < 0.5);
  row.setZero();
  row(0, 77) = 1;
  transform.apply(row);
  CHECK((row.cwiseAbs().array() == 1.0 / 64).all());
}

TEMPLATE_TEST_CASE("overlapping buffers: in place, across columns and on any threads it is one map", "[transform][property][pitfall]", float, double) {
  using T = TestType;
  test::Rng rng(9);
  const Index n = GENERATE(8, 12, 52, 18);
  const auto without = GENERATE(WithoutHadamard::blocks, WithoutHadamard::orthogonal);
  const Index inner = GENERATE(1, 3, 16, 37);
  CAPTURE(n, inner);
  const HadamardTransform transform(n, {.sign_seed = 6, .without = without});
  const Matrix<T> x = test::normal_matrix<T>(inner, n, rng);
  Matrix<T> rows = x, columns = x.transpose(), vectors = x, threaded = x;
  transform.apply(rows);
  transform.apply_across(columns.data(), inner);
  for (Index r = 0; r < inner; ++r) transform.apply(vectors.row(r).data());
  const T bound = 100 * std::numeric_limits<T>::epsilon() * x.norm();
  CHECK((columns.transpose() - rows).norm() <= bound);
  CHECK(vectors == rows);
  for (const Index count : {Index{2}, Index{7}}) {
    test::Threads threads{count};
    Matrix<T> again = x;
    transform.apply(again, {.executor = threads});
    CHECK(again == rows);
    transform.invert(again, {.executor = threads});
    transform.invert(threaded = rows);
    CHECK(again == threaded);
  }
  transform.invert_across(columns.data(), inner);
  CHECK((columns.transpose() - x).norm() <= bound);
  for (Index r = 0; r < inner; ++r) transform.invert(vectors.row(r).data());
  CHECK((vectors - x).norm() <= bound);
}

TEST_CASE("What stands in for a Hadamard matrix is orthogonal and says so", "[transform][property]") {
  CHECK(HadamardTransform(4096).is_hadamard());
  CHECK(HadamardTransform(4096).description() == "Hadamard of order 4096");
  CHECK(HadamardTransform(14336, {.sign_seed = 7}).description() ==
        "Hadamard of order 14336 = 28 (Paley II) x 512, random signs from seed 7");
  const HadamardTransform blocks(9 * 64 * 7);  // 4032 = 63 * 64: 252 has none, 84 has
  CHECK(blocks.size() == 4032);
  const HadamardTransform odd(18, {.sign_seed = 1});
  CHECK(!odd.is_hadamard());
  CHECK(odd.description() == "no Hadamard matrix of order 18 here, instead: 9 blocks, each Hadamard of order 2, random signs from seed 1");
  CHECK(HadamardTransform(92).description() == "no Hadamard matrix of order 92 here, instead: 23 blocks, each Hadamard of order 4");
  const HadamardTransform random(18, {.sign_seed = 3, .without = WithoutHadamard::orthogonal});
  CHECK(!random.is_hadamard());
  CHECK(random.description() == "no Hadamard matrix of order 18 here, instead: random orthogonal matrix from seed 3");
  const Matrix<double> u = dense(random);
  CHECK((u * u.transpose() - Matrix<double>::Identity(18, 18)).norm() <= 1e-13);
  // The rotation that makes normals upper triangular with a positive diagonal: that makes it unique.
  SplitMix64 stream = keyed_random(3, {18});
  Matrix<double> normals(18, 18);
  for (Index i = 0; i < normals.size(); ++i) normals.data()[i] = stream.normal();
  CHECK(((u * normals).diagonal().array() > 0).all());
  CHECK((u * normals).isUpperTriangular(1e-12));
  CHECK(u == dense(HadamardTransform(18, {.sign_seed = 3, .without = WithoutHadamard::orthogonal})));
  CHECK(u != dense(HadamardTransform(18, {.sign_seed = 4, .without = WithoutHadamard::orthogonal})));
  // However badly the normals of a seed are conditioned.
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Matrix<double> v = dense(HadamardTransform(18, {.sign_seed = seed, .without = WithoutHadamard::orthogonal}));
    CHECK((v * v.transpose() - Matrix<double>::Identity(18, 18)).norm() <= 1e-13);
  }
  // Where there is one it is taken, whatever may stand in.
  CHECK(HadamardTransform(12, {.without = WithoutHadamard::orthogonal}).is_hadamard());
}

TEST_CASE("Hadamard transforms refuse what they cannot do", "[transform][bad-input]") {
  CHECK_THROWS_AS(HadamardTransform(0), ShapeError);
  CHECK_THROWS_WITH(HadamardTransform(578, {.without = WithoutHadamard::refuse}), test::contains_text("no Hadamard matrix of order 578"));
  CHECK_NOTHROW(HadamardTransform(576, {.without = WithoutHadamard::refuse}));
  Matrix<float> rows(2, 7);
  CHECK_THROWS_WITH(HadamardTransform(8).apply(rows), test::contains_text("must have 8 entries, got 7"));
  CHECK_THROWS_AS(HadamardTransform(8).invert(rows), ShapeError);
}
