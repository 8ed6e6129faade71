#include <basin/codebook/group_sums.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using basin::Index;
using basin::Scheme;
using basin::test::Rng;
using Dense = basin::Matrix<double>;
using Catch::Matchers::WithinRel;

namespace {
const auto schemes = {Scheme{1, 3, 4, 1}, Scheme{2, 2, 5, 1}, Scheme{3, 4, 4, 2}, Scheme{8, 1, 2, 3}};
}

TEST_CASE("gather_codewords is the decoded weight without its scales", "[codebook][reference]") {
  const Scheme scheme = GENERATE(from_range(schemes));
  Rng rng(1);
  auto weight = basin::test::random_weight<double>(6, 23, scheme, rng);
  const Dense spread = basin::gather_codewords(weight, weight.codebooks.values());
  const Dense other = basin::test::normal_matrix<double>(weight.codebooks.values().rows(), weight.codebooks.values().cols(), rng);
  const Dense spread_other = basin::gather_codewords(weight, other);
  weight.scales.setOnes();
  CHECK(spread == weight.decode());
  weight.codebooks.values() = other;
  CHECK(spread_other == weight.decode());
}

TEST_CASE("scatter_groups sums over the groups that use a codeword", "[codebook][reference]") {
  const Scheme scheme = GENERATE(from_range(schemes));
  const Index n_out = GENERATE(6, 54);
  Rng rng(2);
  const auto weight = basin::test::random_weight<double>(n_out, 23, scheme, rng);
  const Dense x = basin::test::normal_matrix<double>(n_out, weight.padded_in(), rng);
  const auto factor = basin::test::normal_vector<double>(weight.num_out_groups(), rng);
  Dense want = Dense::Zero(weight.codebooks.values().rows(), weight.codebooks.values().cols());
  const Index g = scheme.in_group_size;
  for (Index o = 0; o < weight.num_out_groups(); ++o)
    for (Index j = 0; j < weight.num_in_groups(); ++j)
      for (Index m = 0; m < scheme.num_codebooks; ++m)
        for (Index d = 0; d < want.cols(); ++d)
          want(m * scheme.codebook_size() + weight.codes(o, j, m), d) +=
              factor(o) * x(o * scheme.out_group_size + d / g, j * g + d % g);
  const Dense got = basin::scatter_groups(weight, x, factor);
  CHECK((got - want).cwiseAbs().maxCoeff() <= 1e-12);
}

TEMPLATE_TEST_CASE("Gathering and scattering are adjoint", "[codebook][property]", float, double) {
  using T = TestType;
  const Scheme scheme = GENERATE(from_range(schemes));
  Rng rng(3);
  const auto weight = basin::test::random_weight<T>(18, 23, scheme, rng);
  const auto codewords = basin::test::normal_matrix<T>(weight.codebooks.values().rows(), weight.codebooks.values().cols(), rng);
  const auto x = basin::test::normal_matrix<T>(18, weight.padded_in(), rng);
  const auto factor = basin::test::normal_vector<double>(weight.num_out_groups(), rng);
  Dense scaled = x.template cast<double>();
  for (Index o = 0; o < factor.size(); ++o) scaled.middleRows(o * scheme.out_group_size, scheme.out_group_size) *= factor(o);
  const Dense spread = basin::gather_codewords(weight, codewords).template cast<double>();
  const Dense gathered = basin::scatter_groups(weight, x, factor);
  const double left = spread.cwiseProduct(scaled).sum();
  const double right = codewords.template cast<double>().cwiseProduct(gathered).sum();
  const double size = spread.cwiseAbs().cwiseProduct(scaled.cwiseAbs()).sum();
  CHECK(std::abs(left - right) <= 16 * static_cast<double>(std::numeric_limits<T>::epsilon()) * size);
}

TEMPLATE_TEST_CASE("Group sums have the same bits on any threads", "[codebook][property]", float, double) {
  using T = TestType;
  const Scheme scheme{2, 4, 4, 1};
  const Index n_out = GENERATE(1, 7, 8, 9, 200);
  Rng rng(4);
  const auto weight = basin::test::random_weight<T>(n_out, 40, scheme, rng);
  const auto x = basin::test::normal_matrix<T>(n_out, 40, rng);
  const auto h = basin::test::normal_matrix<T>(40, 40, rng);
  const auto factor = basin::test::normal_vector<double>(n_out, rng);
  for (const Index threads : {Index{2}, Index{7}}) {
    basin::test::Threads executor{threads};
    basin::RunContext context;
    context.executor = executor;
    CHECK(basin::gather_codewords(weight, weight.codebooks.values(), context) == basin::gather_codewords(weight, weight.codebooks.values()));
    CHECK(basin::scatter_groups(weight, x, factor, context) == basin::scatter_groups(weight, x, factor));
    CHECK(basin::times_hessian(x, h, context) == basin::times_hessian(x, h));
  }
}

TEST_CASE("times_hessian is a matrix product", "[codebook][reference]") {
  const Index rows = GENERATE(1, 95, 96, 97, 200);
  Rng rng(5);
  const Dense x = basin::test::normal_matrix<double>(rows, 17, rng), h = basin::test::normal_matrix<double>(17, 17, rng);
  const Dense got = basin::times_hessian(x, h);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < 17; ++c) {
      double want = 0;
      for (Index i = 0; i < 17; ++i) want += x(r, i) * h(i, c);
      REQUIRE(std::abs(got(r, c) - want) <= 1e-13);
    }
}
