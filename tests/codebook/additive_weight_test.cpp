#include <basin/codebook/additive_weight.hpp>  // first: proves the header stands alone

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::Index;

namespace {
template <class T>
basin::AdditiveWeight<T> random_weight(Index out_groups, Index n_in, const basin::Scheme& scheme,
                                       std::uint64_t seed) {
  basin::test::Rng rng(seed);
  basin::AdditiveWeight<T> weight{
      .n_out = out_groups * scheme.out_group_size,
      .n_in = n_in,
      .codebooks = basin::AdditiveCodebook<T>(scheme),
      .codes = basin::Codes(out_groups, scheme.num_in_groups(n_in), scheme.num_codebooks),
      .scales = basin::test::normal_vector<T>(out_groups, rng)};
  weight.codebooks.values() =
      basin::test::normal_matrix<T>(weight.codebooks.values().rows(), scheme.codeword_size(), rng);
  for (auto& code : weight.codes.values())
    code = static_cast<basin::Codes::value_type>(rng.below(scheme.codebook_size()));
  return weight;
}
}  // namespace

TEMPLATE_TEST_CASE("A weight decodes to scaled sums of codewords", "[codebook][reference]", float, double) {
  using T = TestType;
  const int codebooks = GENERATE(1, 2, 5), out_group = GENERATE(1, 3);
  const basin::Scheme scheme{codebooks, 3, 4, out_group};
  const auto weight = random_weight<T>(35, 18, scheme, 11);
  CHECK(weight.padded_in() == 20);
  CHECK(weight.num_in_groups() == 5);
  const basin::Matrix<T> decoded = weight.decode();
  REQUIRE(decoded.rows() == 35 * out_group);
  REQUIRE(decoded.cols() == 20);
  for (Index row = 0; row < decoded.rows(); row += 4)
    for (Index column = 0; column < 20; ++column) {
      const Index o = row / out_group, p = row % out_group, j = column / 4, i = column % 4;
      T want = 0;
      for (Index m = 0; m < codebooks; ++m)
        want += weight.codebooks.codeword(m, weight.codes(o, j, m))[p * 4 + i];
      CHECK(decoded(row, column) == want * weight.scales(o));
    }
  basin::test::Threads threads{3};
  CHECK(weight.decode({.executor = threads}) == decoded);
}

TEST_CASE("A sample of a weight decodes to its rows", "[codebook][reference]") {
  const Index out_group = GENERATE(1, 2), stride = GENERATE(1, 3, 50);
  const basin::Scheme scheme{2, 3, 4, static_cast<int>(out_group)};
  const auto weight = random_weight<double>(16, 18, scheme, 13);
  const auto sample = weight.sample(stride);
  CHECK(sample.n_in == 18);
  CHECK(sample.n_out == (16 + stride - 1) / stride * out_group);
  const basin::Matrix<double> all = weight.decode(), decoded = sample.decode();
  REQUIRE(decoded.rows() == sample.n_out);
  for (Index o = 0; o < sample.num_out_groups(); ++o)
    CHECK(decoded.middleRows(o * out_group, out_group) == all.middleRows(o * stride * out_group, out_group));
}

TEST_CASE("A weight counts its stored bits", "[codebook][reference]") {
  const basin::Scheme scheme{2, 8, 8, 1};
  const auto weight = random_weight<float>(16, 64, scheme, 12);
  CHECK(weight.stored_bits().codes == 2.0);
  CHECK(weight.stored_bits().scales == 0.25);
  CHECK(weight.stored_bits().codebooks == 2.0 * 256 * 8 * 16 / (16 * 64));
}
