#include <basin/codebook/adam.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <vector>

#include "laws/updater_laws.hpp"
#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::AdamUpdate;
using basin::Index;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;

namespace {
/// One parameter under Adam with amsgrad, as its authors write it.
struct Parameter {
  double m = 0, v = 0, v_max = 0;
  int t = 0;
  double step(double gradient, const AdamUpdate::Options& o) {
    ++t;
    m = o.beta1 * m + (1 - o.beta1) * gradient;
    v = o.beta2 * v + (1 - o.beta2) * gradient * gradient;
    v_max = v > v_max ? v : v_max;
    const double m_hat = m / (1 - std::pow(o.beta1, t)), v_hat = v_max / (1 - std::pow(o.beta2, t));
    return -o.learning_rate * m_hat / (std::sqrt(v_hat) + o.epsilon);
  }
};

void plain_step(const Layer& layer, Weight& weight, const AdamUpdate::Options& options, std::vector<Parameter>& parameters) {
  const Scheme& scheme = weight.scheme();
  const Index g = scheme.in_group_size, g_out = scheme.out_group_size;
  const Dense pull = -2.0 * (layer.weight() - weight.decode()) * layer.hessian() / static_cast<double>(layer.n_out());
  Dense codewords = Dense::Zero(weight.codebooks.values().rows(), weight.codebooks.values().cols());
  basin::Vector<double> scales = basin::Vector<double>::Zero(weight.scales.size());
  for (Index o = 0; o < weight.num_out_groups(); ++o)
    for (Index j = 0; j < weight.num_in_groups(); ++j)
      for (Index m = 0; m < scheme.num_codebooks; ++m)
        for (Index d = 0; d < g * g_out; ++d) {
          const double here = pull(o * g_out + d / g, j * g + d % g);
          codewords(m * scheme.codebook_size() + weight.codes(o, j, m), d) += weight.scales(o) * here;
          scales(o) += here * weight.codebooks.codeword(m, weight.codes(o, j, m))[d];
        }
  for (Index i = 0; i < codewords.size(); ++i)
    weight.codebooks.values().data()[i] += parameters[static_cast<std::size_t>(i)].step(codewords.data()[i], options);
  for (Index o = 0; o < scales.size(); ++o)
    weight.scales(o) += parameters[static_cast<std::size_t>(codewords.size() + o)].step(scales(o), options);
}
}  // namespace

TEST_CASE("AdamUpdate takes the steps of a plain Adam with amsgrad", "[codebook][reference]") {
  const Scheme scheme = GENERATE(values<Scheme>({{2, 2, 4, 1}, {1, 3, 3, 2}}));
  const AdamUpdate::Options options = GENERATE(values<AdamUpdate::Options>(
      {{}, {.steps = 1, .learning_rate = 3e-3, .beta1 = 0.9, .beta2 = 0.95}, {.learning_rate = 1e-2, .beta1 = 0.5, .beta2 = 0.999, .epsilon = 1e-3}}));
  Rng rng(1);
  const Layer layer = basin::test::random_layer<double>(6, 14, scheme.in_group_size, rng);
  Weight plain = basin::test::random_weight<double>(6, 14, scheme, rng), weight = plain;
  std::vector<Parameter> parameters(static_cast<std::size_t>(plain.codebooks.values().size() + plain.scales.size()));
  AdamUpdate::Options few = options;
  few.steps = 3;
  AdamUpdate update(few);
  for (int call = 0; call < 3; ++call) {  // moments and count live on between calls
    update.update(layer, weight);
    for (int step = 0; step < 3; ++step) plain_step(layer, plain, options, parameters);
    CHECK((weight.codebooks.values() - plain.codebooks.values()).norm() <= 1e-11 * plain.codebooks.values().norm());
    CHECK((weight.scales - plain.scales).norm() <= 1e-11 * plain.scales.norm());
  }
}

TEST_CASE("The default AdamUpdate is that of the AQLM code", "[codebook][reference]") {
  const AdamUpdate::Options options;
  CHECK(options.steps == 100);
  CHECK(options.learning_rate == 1e-4);
  CHECK(options.beta1 == 0);
  CHECK(options.beta2 == 0.95);
}

TEST_CASE("A copy of an AdamUpdate has moments of its own", "[codebook][property]") {
  Rng rng(2);
  const Layer layer = basin::test::random_layer<double>(6, 16, 4, rng);
  const Weight start = basin::test::random_weight<double>(6, 16, {2, 2, 4, 1}, rng);
  AdamUpdate fresh({.steps = 5, .learning_rate = 1e-2, .beta1 = 0.9});
  AdamUpdate used = fresh;
  Weight first = start, second = start, third = start;
  used.update(layer, first);
  AdamUpdate continued = used;
  used.update(layer, first);
  fresh.update(layer, second);
  continued.update(layer, second);
  CHECK(first.codebooks.values() == second.codebooks.values());
  AdamUpdate({.steps = 10, .learning_rate = 1e-2, .beta1 = 0.9}).update(layer, third);
  CHECK(third.codebooks.values() == second.codebooks.values());
}

TEMPLATE_TEST_CASE("AdamUpdate obeys the laws of updaters", "[codebook][property]", float, double) {
  using T = TestType;
  Rng rng(3);
  const AdamUpdate updater({.steps = 10, .learning_rate = 1e-3});
  const Scheme scheme = GENERATE(values<Scheme>({{2, 3, 4, 1}, {3, 2, 2, 2}}));
  const auto layer = basin::test::random_layer<T>(104, 22, scheme.in_group_size, rng);
  basin::test::check_updater_laws<T>(updater, layer, basin::test::random_weight<T>(104, 22, scheme, rng));
}
