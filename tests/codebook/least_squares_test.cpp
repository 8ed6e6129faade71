#include <basin/codebook/least_squares.hpp>  // first: proves the header stands alone

#include <basin/codebook/gradient.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

#include <Eigen/Cholesky>
#include <Eigen/QR>

#include <cmath>
#include <cstdint>
#include <limits>

#include "laws/updater_laws.hpp"
#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::Index;
using basin::LeastSquares;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;
using Catch::Matchers::WithinRel;

namespace {
// To the bottom: what little the ridge holds back is below what the tests ask for.
const LeastSquares direct{.ridge = 1e-13, .direct_unknowns = 4096, .update_scales = false};
const LeastSquares iterative{.max_iterations = 3000, .tolerance = 1e-12, .ridge = 1e-13, .direct_unknowns = 0, .update_scales = false};

double gradient_norm(const Layer& layer, const Weight& weight) {
  return basin::objective_gradient(layer, weight).codewords.norm();
}
/// The lowest loss that codewords can reach for these codes and scales, by a dense orthogonal solve.
double lowest_loss(const Layer& layer, const Weight& weight) {
  const Index unknowns = weight.codebooks.values().size();
  const Dense root = layer.hessian().llt().matrixL();
  const auto flat = [&](const Dense& rows) {
    const Dense seen = rows * root;
    return basin::Vector<double>(Eigen::Map<const basin::Vector<double>>(seen.data(), seen.size()));
  };
  Dense design(weight.n_out * weight.padded_in(), unknowns);
  Weight unit = weight;
  for (Index i = 0; i < unknowns; ++i) {
    unit.codebooks.values().setZero();
    unit.codebooks.values().data()[i] = 1;
    design.col(i) = flat(unit.decode());
  }
  const basin::Vector<double> target = flat(layer.weight());
  return (target - design * design.completeOrthogonalDecomposition().solve(target)).squaredNorm();
}
}  // namespace

TEST_CASE("LeastSquares reaches the minimum, directly and by iteration", "[codebook][reference]") {
  const Scheme scheme = GENERATE(values<Scheme>({{1, 2, 4, 1}, {2, 2, 4, 1}, {3, 2, 2, 1}, {2, 1, 3, 2}}));
  CAPTURE(scheme.num_codebooks, scheme.out_group_size);
  Rng rng(1);
  const Layer layer = basin::test::random_layer<double>(12, 12, scheme.in_group_size, rng);
  const Weight start = basin::test::random_weight<double>(12, 12, scheme, rng);
  const double optimum = lowest_loss(layer, start);
  Weight by_factor = start, by_steps = start;
  direct.update(layer, by_factor);
  iterative.update(layer, by_steps);
  for (const Weight* found : {&by_factor, &by_steps}) {
    CHECK_THAT(basin::test::total_loss(layer, *found), WithinRel(optimum, 1e-10));
    CHECK(gradient_norm(layer, *found) <= 1e-8 * gradient_norm(layer, start));
    CHECK(found->scales == start.scales);
  }
  CHECK((by_factor.decode() - by_steps.decode()).norm() <= 1e-7 * by_factor.decode().norm());
  // Neither wandered off along the null directions.
  for (const Weight* found : {&by_factor, &by_steps})
    CHECK(found->codebooks.values().norm() <= 3 * start.codebooks.values().norm());
}

TEST_CASE("null directions between codebooks: they stay where they are", "[codebook][property][pitfall]") {
  LeastSquares solver = GENERATE(true, false) ? direct : iterative;
  solver.ridge = 1e-7;  // what keeps them there
  Rng rng(2);
  const Layer layer = basin::test::random_layer<double>(10, 16, 4, rng);
  const Weight start = basin::test::random_weight<double>(10, 16, {2, 2, 4, 1}, rng);
  const auto v = basin::test::normal_vector<double>(4, rng);
  Weight shifted = start;
  shifted.codebooks.codebook(0).rowwise() += v.transpose();
  shifted.codebooks.codebook(1).rowwise() -= v.transpose();
  CHECK_THAT(basin::test::total_loss(layer, shifted), WithinRel(basin::test::total_loss(layer, start), 1e-12));
  Weight plain = start;
  solver.update(layer, plain);
  solver.update(layer, shifted);
  CHECK((shifted.codebooks.codebook(0).rowwise() - v.transpose() - plain.codebooks.codebook(0)).norm() <= 1e-6);
  CHECK((shifted.codebooks.codebook(1).rowwise() + v.transpose() - plain.codebooks.codebook(1)).norm() <= 1e-6);
}

TEST_CASE("Scales become the best ones for the decoded rows", "[codebook][reference]") {
  Rng rng(3);
  const Index g_out = GENERATE(1, 2);
  const Scheme scheme{2, 2, 4, static_cast<int>(g_out)};
  const Layer layer = basin::test::random_layer<double>(6, 16, 4, rng);
  Weight weight = basin::test::random_weight<double>(6, 16, scheme, rng);
  LeastSquares{}.update(layer, weight);
  // dL/ds = 0, except where the best scale is not positive.
  const auto gradient = basin::objective_gradient(layer, weight);
  for (Index o = 0; o < weight.num_out_groups(); ++o) {
    CHECK(weight.scales(o) > 0);
    CHECK(std::abs(gradient.scales(o)) <= 1e-9 * layer.weight_energy());
  }
  // A row that points away from its decoded values keeps its scale.
  Weight opposed = weight;
  Dense w = layer.weight();
  w.topRows(g_out) = -10 * weight.decode().topRows(g_out);
  const Layer away(w, layer.hessian(), 4);
  LeastSquares{.max_iterations = 1, .ridge = 1e9, .direct_unknowns = 0}.update(away, opposed);  // codewords all but fixed
  CHECK(opposed.scales(0) == weight.scales(0));
  CHECK(opposed.scales(1) != weight.scales(1) * 2);
}

TEMPLATE_TEST_CASE("LeastSquares obeys the laws of updaters", "[codebook][property]", float, double) {
  using T = TestType;
  const Index direct_unknowns = GENERATE(0, 4096);
  const bool update_scales = GENERATE(false, true);
  const LeastSquares updater{.direct_unknowns = direct_unknowns, .update_scales = update_scales};
  CAPTURE(direct_unknowns, update_scales);
  Rng rng(4);
  SECTION("a padded layer") {
    const Scheme scheme{2, 3, 4, 1};
    const auto layer = basin::test::random_layer<T>(110, 22, 4, rng);
    basin::test::check_updater_laws<T>(updater, layer, basin::test::random_weight<T>(110, 22, scheme, rng));
  }
  SECTION("output groups of two rows") {
    const Scheme scheme{3, 2, 2, 2};
    const auto layer = basin::test::random_layer<T>(12, 10, 2, rng);
    basin::test::check_updater_laws<T>(updater, layer, basin::test::random_weight<T>(12, 10, scheme, rng));
  }
  SECTION("a singular Hessian, dead inputs, a row of zeros") {
    const Scheme scheme{2, 3, 4, 1};
    auto h = basin::test::gram_matrix(24, 5, rng);
    h.topRows(4).setZero();
    h.leftCols(4).setZero();
    auto w = basin::test::normal_matrix<T>(9, 24, rng);
    w.row(2).setZero();
    auto start = basin::test::random_weight<T>(9, 24, scheme, rng);
    start.scales(2) = T(1e-9);
    start.scales(3) = 0;
    basin::test::check_updater_laws<T>(updater, basin::LayerObjective<T>(w, h, 4), start);
  }
}

TEMPLATE_TEST_CASE("Least squares and search in turn never raise the loss", "[codebook][property]", float, double) {
  using T = TestType;
  const bool joint = GENERATE(false, true);
  Rng rng(5);
  const Scheme scheme{2, 4, 4, 1};
  const auto layer = basin::test::random_layer<T>(32, 32, 4, rng);
  auto weight = basin::test::random_weight<T>(32, 32, scheme, rng);
  const double rounding = (std::is_same_v<T, double> ? 1e-13 : 1e-6) * layer.weight_energy();
  double last = basin::test::total_loss(layer, weight);
  const double first = last;
  const auto step = [&](const char* what) {
    CAPTURE(what);
    const double loss = basin::test::total_loss(layer, weight);
    CHECK(loss <= last + rounding);
    last = loss;
  };
  for (std::uint64_t epoch = 0; epoch < 8; ++epoch) {
    LeastSquares{}.update(layer, weight);
    step("update");
    if (joint)
      basin::JointBeam{}.search(layer, weight, 0, epoch);
    else
      basin::BeamSearch{}.search(layer, weight, 0, epoch);
    step("search");
  }
  CHECK(last < 0.5 * first);
}

TEST_CASE("LeastSquares names options that cannot be", "[codebook][bad-input]") {
  using basin::test::contains_text;
  Rng rng(6);
  const Layer layer = basin::test::random_layer<double>(2, 8, 4, rng);
  Weight weight = basin::test::random_weight<double>(2, 8, {1, 2, 4, 1}, rng);
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(LeastSquares{.max_iterations = 0}.update(layer, weight), contains_text("max_iterations >= 1"));
  for (const double bad : {-1.0, nan, inf}) {
    CHECK_THROWS_AS(LeastSquares{.ridge = bad}.update(layer, weight), basin::ValueError);
    if (bad != inf) CHECK_THROWS_AS(LeastSquares{.tolerance = bad}.update(layer, weight), basin::ValueError);
  }
}
