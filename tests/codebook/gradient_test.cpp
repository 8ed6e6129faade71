#include <basin/codebook/gradient.hpp>  // first: proves the header stands alone

#include <cmath>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/reference.hpp"

using basin::Index;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;

namespace {
/// Central differences of a function of the weight, codewords first, then scales.
template <class Function>
basin::AdditiveGradient<double> differences(const Weight& weight, const Function& function) {
  constexpr double step = 1e-5;
  basin::AdditiveGradient<double> result{Dense(weight.codebooks.values().rows(), weight.codebooks.values().cols()),
                                         basin::Vector<double>(weight.scales.size())};
  Weight moved = weight;
  const auto difference = [&](double& value) {
    const double old = value;
    value = old + step;
    const double up = function(moved);
    value = old - step;
    const double down = function(moved);
    value = old;
    return (up - down) / (2 * step);
  };
  for (Index i = 0; i < result.codewords.size(); ++i) result.codewords.data()[i] = difference(moved.codebooks.values().data()[i]);
  for (Index o = 0; o < result.scales.size(); ++o) result.scales(o) = difference(moved.scales(o));
  return result;
}
void check_close(const basin::AdditiveGradient<double>& got, const basin::AdditiveGradient<double>& want) {
  CHECK((got.codewords - want.codewords).norm() <= 1e-6 * want.codewords.norm());
  CHECK((got.scales - want.scales).norm() <= 1e-6 * want.scales.norm());
}
const auto schemes = {Scheme{1, 2, 4, 1}, Scheme{2, 2, 4, 1}, Scheme{3, 1, 3, 2}};
}  // namespace

TEST_CASE("objective_gradient equals central differences of the loss", "[codebook][reference]") {
  const Scheme scheme = GENERATE(from_range(schemes));
  Rng rng(1);
  const Layer layer = basin::test::random_layer<double>(6, 14, scheme.in_group_size, rng);
  const Weight weight = basin::test::random_weight<double>(6, 14, scheme, rng);
  check_close(basin::objective_gradient(layer, weight), differences(weight, [&](const Weight& at) {
                return static_cast<double>(basin::test::layer_loss(layer.weight(), at.decode(), layer.hessian()));
              }));
}

TEST_CASE("chain_rule carries any dL/dWhat to codewords and scales", "[codebook][reference]") {
  const Scheme scheme = GENERATE(from_range(schemes));
  Rng rng(2);
  const Weight weight = basin::test::random_weight<double>(6, 12, scheme, rng);
  const Dense direction = basin::test::normal_matrix<double>(6, weight.padded_in(), rng);
  const Dense target = basin::test::normal_matrix<double>(6, weight.padded_in(), rng);
  // phi = <G, What> + ||What - T||^4 / 4
  const Dense error = weight.decode() - target;
  const Dense gradient = direction + error * error.squaredNorm();
  const Dense unscaled = basin::gather_codewords(weight, weight.codebooks.values());
  check_close(basin::chain_rule(weight, gradient, unscaled), differences(weight, [&](const Weight& at) {
                const Dense decoded = at.decode();
                return decoded.cwiseProduct(direction).sum() + std::pow((decoded - target).squaredNorm(), 2) / 4;
              }));
}

TEST_CASE("The gradient has the same bits on any threads", "[codebook][property]") {
  Rng rng(3);
  const Scheme scheme{2, 3, 4, 1};
  const auto layer = basin::test::random_layer<float>(70, 30, 4, rng);
  const auto weight = basin::test::random_weight<float>(70, 30, scheme, rng);
  const auto serial = basin::objective_gradient(layer, weight);
  basin::test::Threads executor{7};
  basin::RunContext context;
  context.executor = executor;
  const auto threaded = basin::objective_gradient(layer, weight, context);
  CHECK(threaded.codewords == serial.codewords);
  CHECK(threaded.scales == serial.scales);
}
