#include <basin/codebook/level_scales.hpp>  // first: proves the header stands alone

#include <basin/codebook/clip_search.hpp>
#include <basin/levels/mirror_no_zero.hpp>

#include <cmath>
#include <limits>
#include <stop_token>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using namespace basin;
using Catch::Matchers::WithinRel;

namespace {
template <class T>
LevelWeight<T> clipped(const Matrix<T>& weight, double clip = 1) {
  auto found = ClipSearch{.power = ErrorPower::squared}.search<MirrorNoZero, T>(weight);
  LevelWeight<T> quantized{{-1.5, -0.5, 0.5, 1.5}, Matrix<std::uint8_t>(weight.rows(), weight.cols()),
                           found.scales * static_cast<T>(clip), {}};
  nearest_codes<T>(weight, quantized);
  return quantized;
}
template <class T>
bool same(const LevelWeight<T>& a, const LevelWeight<T>& b) {
  return a.codes == b.codes && a.scales == b.scales && a.zero_points == b.zero_points && a.levels == b.levels;
}
}  // namespace

TEST_CASE("Rounding to nearest under the searched scales has its golden loss", "[codebook][reference]") {
  const test::F7 f7;
  const LevelWeight<double> quantized = clipped<double>(f7.weight);
  const Matrix<double> damped = f7.hessian + 0.01 * f7.hessian.diagonal().mean() * Matrix<double>::Identity(16, 16);
  CHECK_THAT(static_cast<double>(test::layer_loss(f7.weight, quantized.decode(), damped)), WithinRel(175.165027006, 1e-9));
}

TEMPLATE_TEST_CASE("Nearest codes leave no nearer level", "[codebook][reference]", float, double) {
  using T = TestType;
  test::Rng rng(1);
  const Matrix<T> weight = test::normal_matrix<T>(19, 37, rng);
  LevelWeight<T> quantized{{0, 1, 2, 3}, Matrix<std::uint8_t>::Constant(19, 37, 9), Vector<T>(19), Vector<T>(19)};
  for (Index o = 0; o < 19; ++o) {
    quantized.scales(o) = static_cast<T>(0.3 + 0.1 * static_cast<double>(o)) * (o == 4 ? T(-1) : T(1));
    quantized.zero_points(o) = static_cast<T>(o % 4);
  }
  quantized.scales(7) = 0;
  LevelWeight<T> threaded = quantized;
  nearest_codes<T>(weight, quantized);
  for (Index o = 0; o < 19; ++o)
    for (Index i = 0; i < 37; ++i) {
      const auto distance = [&](std::uint8_t code) { return std::abs(weight(o, i) - quantized.value(o, code)); };
      for (std::uint8_t other = 0; other < 4; ++other)
        CHECK(distance(quantized.codes(o, i)) <= distance(other) + 8 * std::numeric_limits<T>::epsilon());
    }
  // What a frozen row decodes to is zero; its codes name its zero point.
  CHECK((quantized.codes.row(7).array() == 3).all());
  test::Threads threads{3};
  nearest_codes<T>(weight, threaded, {.executor = threads});
  CHECK(same(threaded, quantized));
}

TEST_CASE("Mirrored sets quantize -w to -Q(w)", "[codebook][property]") {
  const test::F7 f7;
  const Matrix<double> mirrored = -f7.weight;
  CHECK(clipped<double>(mirrored).decode() == -clipped<double>(f7.weight).decode());
}

TEMPLATE_TEST_CASE("refine_scales lowers the squared error until nothing moves", "[codebook][property]", float, double) {
  using T = TestType;
  test::Rng rng(2);
  const Matrix<T> weight = test::normal_matrix<T>(24, 64, rng);
  LevelWeight<T> quantized = clipped<T>(weight, 1.6);
  const auto errors = [&](const LevelWeight<T>& at) {
    return Vector<double>((weight - at.decode()).template cast<double>().rowwise().squaredNorm());
  };
  Vector<double> before = errors(quantized);
  const double slack = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (int round = 0; round < 4; ++round) {
    refine_scales<T>(weight, quantized, 1);
    const Vector<double> after = errors(quantized);
    CHECK((after.array() <= before.array() + slack * weight.template cast<double>().rowwise().squaredNorm().array()).all());
    before = after;
  }
  CHECK(before.sum() < 0.9 * errors(clipped<T>(weight, 1.6)).sum());
  refine_scales<T>(weight, quantized, 100);
  LevelWeight<T> still = quantized;
  refine_scales<T>(weight, still, 1);
  CHECK(still.codes == quantized.codes);
  for (Index o = 0; o < weight.rows(); ++o) {
    const Vector<double> q = (quantized.decode().row(o) / quantized.scales(o)).template cast<double>().transpose();
    const double best = weight.row(o).template cast<double>().dot(q) / q.squaredNorm();
    CHECK_THAT(static_cast<double>(quantized.scales(o)), WithinRel(best, slack));
  }
  test::Threads threads{5};
  LevelWeight<T> threaded = clipped<T>(weight, 1.6), serial = threaded;
  refine_scales<T>(weight, threaded, 3, {.executor = threads});
  refine_scales<T>(weight, serial, 3);
  CHECK(same(threaded, serial));
}

TEST_CASE("Weights that are levels already stay", "[codebook][property]") {
  test::Rng rng(3);
  LevelWeight<double> quantized{{-1.5, -0.5, 0.5, 1.5}, Matrix<std::uint8_t>(4, 30), Vector<double>(4), {}};
  for (Index o = 0; o < 4; ++o) {
    quantized.scales(o) = std::exp2(o);
    for (Index i = 0; i < 30; ++i) quantized.codes(o, i) = static_cast<std::uint8_t>(i < 4 ? i : rng.below(4));
  }
  const Matrix<double> weight = quantized.decode();
  LevelWeight<double> refined = quantized;
  refine_scales<double>(weight, refined, 10);
  CHECK(same(refined, quantized));
  LevelScales{}.update(LayerObjective<double>(weight, test::spd_matrix<double>(30, 100.0, rng), 1), refined);
  CHECK(refined.codes == quantized.codes);
  CHECK((refined.scales - quantized.scales).cwiseAbs().maxCoeff() <= 1e-13 * quantized.scales.maxCoeff());
}

TEMPLATE_TEST_CASE("LevelScales finds the scale where the loss is stationary", "[codebook][reference]", float, double) {
  using T = TestType;
  test::Rng rng(4);
  const auto made = test::synthetic_layer(100, 24, rng);  // more rows than a task takes
  const LayerObjective<T> layer(made.weight.cast<T>(), made.hessian, 1);
  LevelWeight<T> quantized = clipped<T>(made.weight.cast<T>(), 1.3);
  const LevelWeight<T> start = quantized;
  LevelScales{}.update(layer, quantized);
  CHECK(quantized.codes == start.codes);
  const Vector<double> before = layer.row_losses(start.decode()), after = layer.row_losses(quantized.decode());
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  // Products of 24 terms in T, of rows as large as W's energy.
  const double rounding = 24 * eps * layer.weight_energy();
  CHECK((after.array() <= before.array() + rounding).all());
  CHECK(after.sum() < before.sum());
  for (Index o = 0; o < layer.n_out(); ++o) {
    const Vector<double> q = (quantized.decode().row(o) / quantized.scales(o)).template cast<double>().transpose();
    const Vector<double> w = layer.weight().row(o).template cast<double>().transpose();
    const double best = w.dot(layer.hessian() * q) / q.dot(layer.hessian() * q);
    const double error = 24 * eps * w.norm() * q.norm() * layer.hessian().norm() / q.dot(layer.hessian() * q);
    CHECK(std::abs(static_cast<double>(quantized.scales(o)) - best) <= error);
  }
  for (const Index count : {Index{2}, Index{7}}) {
    test::Threads threads{count};
    LevelWeight<T> threaded = start;
    LevelScales{}.update(layer, threaded, {.executor = threads});
    CHECK(same(threaded, quantized));
  }
}

TEST_CASE("LevelScales honours zero points", "[codebook][property]") {
  test::Rng rng(5);
  const auto made = test::synthetic_layer(6, 16, rng);
  const LayerObjective<double> layer(made.weight, made.hessian, 1);
  LevelWeight<double> quantized{{0, 1, 2, 3}, Matrix<std::uint8_t>(6, 16), Vector<double>::Constant(6, 1.2),
                                Vector<double>::Constant(6, 2)};
  nearest_codes<double>(made.weight, quantized);
  const double before = layer.loss(quantized.decode());
  LevelScales{}.update(layer, quantized);
  const double best = layer.loss(quantized.decode());
  CHECK(best < before);
  for (const double factor : {0.999, 1.001}) {
    LevelWeight<double> moved = quantized;
    moved.scales *= factor;
    CHECK(layer.loss(moved.decode()) > best);
  }
}

TEST_CASE("tiny or negative learned scale: rows without a positive best scale stay", "[codebook][property][pitfall]") {
  test::Rng rng(6);
  const Matrix<double> weight = test::normal_matrix<double>(4, 8, rng);
  LevelWeight<double> quantized = clipped<double>(weight);
  quantized.scales(0) = 0;
  for (Index i = 0; i < 8; ++i) quantized.codes(1, i) = static_cast<std::uint8_t>(3 - quantized.codes(1, i));  // -Q(w)
  const LevelWeight<double> start = quantized;
  LevelScales{}.update(LayerObjective<double>(weight, Matrix<double>::Identity(8, 8), 1), quantized);
  CHECK(quantized.scales(0) == 0);
  CHECK(quantized.scales(1) == start.scales(1));
  CHECK(quantized.scales(2) != start.scales(2));
  quantized = start;
  LevelScales{}.update(LayerObjective<double>(weight, Matrix<double>::Zero(8, 8), 1), quantized);
  CHECK(same(quantized, start));
  refine_scales<double>(weight, quantized, 3);
  CHECK(quantized.scales(0) == 0);
}

TEST_CASE("Rows that decode to nothing, and Hessians that vanish in float, leave scales finite", "[codebook][property]") {
  LevelWeight<float> quantized{{-1, 0, 1}, Matrix<std::uint8_t>(1, 3), Vector<float>::Constant(1, 100), {}};
  const Matrix<float> weight = Matrix<float>::Ones(1, 3);
  refine_scales<float>(weight, quantized, 3);
  CHECK(quantized.scales(0) == 100);
  const Matrix<float> large = Matrix<float>::Constant(1, 3, 1e5f);
  nearest_codes<float>(large, quantized);
  LevelScales{}.update(LayerObjective<float>(large, 1e-46 * Matrix<double>::Identity(3, 3), 1), quantized);
  CHECK(quantized.scales(0) == 100);
}

TEST_CASE("LevelScales refuses a foreign weight and stops when asked", "[codebook][bad-input]") {
  const LayerObjective<double> layer(Matrix<double>::Ones(3, 4), Matrix<double>::Identity(4, 4), 1);
  LevelWeight<double> quantized = clipped<double>(Matrix<double>::Ones(2, 4));
  CHECK_THROWS_WITH(LevelScales{}.update(layer, quantized), test::contains_text("[3, 4], the quantized weight [2, 4]"));
  quantized = clipped<double>(Matrix<double>::Ones(3, 4));
  std::stop_source stopped;
  stopped.request_stop();
  CHECK_THROWS_AS(LevelScales{}.update(layer, quantized, {.stop = stopped.get_token()}), Cancelled);
}
