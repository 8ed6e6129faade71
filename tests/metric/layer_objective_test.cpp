#include <basin/metric/layer_objective.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using basin::Index;
using basin::LayerObjective;
using Catch::Matchers::WithinRel;
using Dense = basin::Matrix<double>;

TEST_CASE("LayerObjective knows the golden energy", "[metric][reference]") {
  const basin::test::F7 f7;
  const LayerObjective<double> layer(f7.weight, f7.hessian, 4);
  CHECK_THAT(layer.weight_energy(), WithinRel(1749.90732243, 1e-9));
  CHECK_THAT(layer.loss(Dense::Zero(8, 16)), WithinRel(1749.90732243, 1e-9));
  CHECK(layer.loss(layer.weight()) == 0);
  CHECK_THAT(layer.relative_error(layer.loss(0.5 * f7.weight)), WithinRel(0.25, 1e-12));
  CHECK((layer.weight_product() - f7.weight * f7.hessian).norm() <= 1e-13 * layer.weight_product().norm());
}

TEMPLATE_TEST_CASE("LayerObjective's loss is the trace in long double", "[metric][reference]", float, double) {
  using T = TestType;
  const Index n_out = GENERATE(1, 7, 70), n_in = GENERATE(1, 13, 32, 200), g = GENERATE(1, 8);
  CAPTURE(n_out, n_in, g);
  basin::test::Rng rng(58);
  const auto made = basin::test::synthetic_layer(n_out, n_in, rng);
  const basin::Matrix<T> weight = made.weight.template cast<T>();
  const LayerObjective<T> layer(weight, made.hessian, g);
  basin::Matrix<T> decoded = basin::Matrix<T>::Zero(n_out, layer.padded_in());
  decoded.leftCols(n_in) = basin::test::normal_matrix<T>(n_out, n_in, rng);
  const auto want = static_cast<double>(basin::test::layer_loss(weight, decoded.leftCols(n_in), made.hessian));
  // W - What is formed in T, its square in double.
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(n_in);
  CHECK_THAT(layer.loss(decoded), WithinRel(want, tolerance * 10));
  CHECK_THAT(layer.row_losses(decoded).sum(), WithinRel(layer.loss(decoded), 1e-14));
  if (layer.padded_in() > n_in) {  // what stands in the padding costs nothing
    const double before = layer.loss(decoded);
    decoded.rightCols(layer.padded_in() - n_in).setConstant(T(7));
    CHECK(layer.loss(decoded) == before);
    CHECK(layer.weight().rightCols(layer.padded_in() - n_in).isZero(0));
  }
}

TEST_CASE("LayerObjective gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(59);
  const Index n_in = GENERATE(22, 300);  // both padded
  const auto made = basin::test::synthetic_layer(100, n_in, rng);
  const LayerObjective<double> layer(made.weight, made.hessian, 8);
  const Dense decoded = basin::test::normal_matrix<double>(100, layer.padded_in(), rng);
  const auto want = layer.row_losses(decoded);
  for (const Index count : {2, 7}) {
    basin::test::Threads threads{count};
    CHECK(layer.row_losses(decoded, {.executor = threads}) == want);
    const LayerObjective<float> shared(made.weight.cast<float>(), made.hessian, 8, {.executor = threads});
    const LayerObjective<float> alone(made.weight.cast<float>(), made.hessian, 8);
    CHECK(shared.hessian() == alone.hessian());
    CHECK(shared.working_hessian() == alone.working_hessian());
    CHECK(shared.weight_product() == alone.weight_product());
    CHECK(shared.weight_energy() == alone.weight_energy());
  }
}

TEST_CASE("A sample of a layer is the objective of its rows", "[metric][reference]") {
  basin::test::Rng rng(60);
  const auto made = basin::test::synthetic_layer(14, 10, rng);  // padded to 12 columns
  const LayerObjective<double> layer(made.weight, made.hessian, 4);
  const Index stride = GENERATE(1, 2, 3, 20), block = GENERATE(1, 2);
  CAPTURE(stride, block);
  std::vector<Index> rows;
  for (Index b = 0; b < 14 / block; b += stride)
    for (Index p = 0; p < block; ++p) rows.push_back(b * block + p);
  Dense picked(static_cast<Index>(rows.size()), 10);
  for (std::size_t i = 0; i < rows.size(); ++i) picked.row(static_cast<Index>(i)) = made.weight.row(rows[i]);
  const LayerObjective<double> want(picked, made.hessian, 4), got = layer.sample(stride, block);
  CHECK(got.weight() == want.weight());
  CHECK(got.hessian() == want.hessian());
  CHECK((got.weight_product() - want.weight_product()).norm() <= 1e-14 * want.weight_product().norm());
  CHECK_THAT(got.weight_energy(), WithinRel(want.weight_energy(), 1e-13));
}

TEST_CASE("LayerObjective has a relative error where the energy vanishes", "[metric][property]") {
  const LayerObjective<double> dead(Dense::Ones(2, 4), Dense::Zero(4, 4), 4);
  CHECK(dead.relative_error(dead.loss(Dense::Zero(2, 4))) == 0);
  CHECK(std::isinf(dead.relative_error(1)));
}

TEST_CASE("LayerObjective names what does not fit", "[metric][bad-input]") {
  using Layer = LayerObjective<double>;
  const Dense h = Dense::Identity(4, 4);
  CHECK_THROWS_AS(Layer(Dense(0, 4), h, 4), basin::ShapeError);
  CHECK_THROWS_AS(Layer(Dense::Ones(2, 4), h, 0), basin::ShapeError);
  CHECK_THROWS_WITH(Layer(Dense::Ones(2, 3), h, 4), basin::test::contains_text("H must be [3, 3], got [4, 4]"));
  Dense w = Dense::Ones(2, 4);
  w(1, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(Layer(w, h, 4), basin::test::contains_text("W[1, 2]"));
  CHECK_THROWS_WITH(Layer(Dense::Ones(2, 4), -h, 4), basin::test::contains_text("positive semidefinite"));
}
