#include <basin/codebook/assign.hpp>  // first: proves the header stands alone

#include <basin/metric/euclidean_blocks.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using basin::Index;
using Dense = basin::Matrix<double>;
using Code = basin::Codes::value_type;

namespace {
/// The plain argmin: distances one by one in double, the smallest index on ties.
template <class T>
std::vector<Code> plain_assign(const basin::Matrix<T>& vectors, const basin::Matrix<T>& codewords,
                               const basin::HessianBlocks& blocks) {
  const Index g = blocks.group_size();
  std::vector<Code> codes;
  for (Index n = 0; n < vectors.rows(); ++n) {
    const auto block = blocks.block(n % blocks.num_groups());
    double least = std::numeric_limits<double>::infinity();
    Index nearest = 0;
    for (Index k = 0; k < codewords.rows(); ++k) {
      double distance = 0;
      for (Index p = 0; p < vectors.cols(); p += g)
        for (Index a = 0; a < g; ++a) {
          double row = 0;
          for (Index b = 0; b < g; ++b) row += block(a, b) * (double(vectors(n, p + b)) - double(codewords(k, p + b)));
          distance += row * (double(vectors(n, p + a)) - double(codewords(k, p + a)));
        }
      if (distance < least) {
        least = distance;
        nearest = k;
      }
    }
    codes.push_back(static_cast<Code>(nearest));
  }
  return codes;
}
template <class T>
std::vector<Code> assigned(const basin::Matrix<T>& vectors, const basin::Matrix<T>& codewords,
                           const basin::HessianBlocks& blocks, const basin::RunContext& context = {}) {
  std::vector<Code> codes(static_cast<std::size_t>(vectors.rows()), Code{54321});
  basin::assign<T>(vectors, codewords, blocks, codes, context);
  return codes;
}
basin::HessianBlocks spd_blocks(Index num_groups, Index g, double cond, basin::test::Rng& rng) {
  basin::HessianBlocks blocks(num_groups, g);
  for (Index j = 0; j < num_groups; ++j) blocks.block(j) = basin::test::spd_matrix<double>(g, cond, rng);
  return blocks;
}
}  // namespace

TEMPLATE_TEST_CASE("assign is the argmin of distances in double", "[codebook][reference]", float, double) {
  using T = TestType;
  const Index g = GENERATE(1, 2, 3, 4, 7, 8, 16, 17);
  const Index size = GENERATE(1, 2, 5, 16, 37);
  const double cond = GENERATE(1.0, 1e6);
  const Index out_group = GENERATE(1, 2);
  CAPTURE(g, size, cond, out_group);
  basin::test::Rng rng(31);
  const auto blocks = spd_blocks(3, g, cond, rng);
  const auto codewords = basin::test::normal_matrix<T>(size, g * out_group, rng);
  for (const Index rows : {1, 11, 22}) {
    const auto vectors = basin::test::normal_matrix<T>(3 * rows, g * out_group, rng);
    CHECK(assigned<T>(vectors, codewords, blocks) == plain_assign<T>(vectors, codewords, blocks));
  }
}

TEST_CASE("cancellation in the expanded distance: assign decides near-ties as double does", "[codebook][reference][pitfall]") {
  // Codewords in tight bunches far from zero: scores in float are all alike.
  basin::test::Rng rng(32);
  const double spread = GENERATE(1e-2, 1e-4, 1e-6, 1e-7);
  const double cond = GENERATE(1.0, 1e8);
  CAPTURE(spread, cond);
  const basin::Matrix<float> center = 100 * basin::test::normal_matrix<float>(1, 8, rng);
  const auto near = [&](Index rows) {
    basin::Matrix<float> values = (spread * basin::test::normal_matrix<double>(rows, 8, rng)).cast<float>();
    values.rowwise() += center.row(0);
    return values;
  };
  const basin::Matrix<float> codewords = near(40), vectors = near(64);
  const auto blocks = spd_blocks(2, 8, cond, rng);
  CHECK(assigned<float>(vectors, codewords, blocks) == plain_assign<float>(vectors, codewords, blocks));
  const auto one = basin::EuclideanBlocks::identity(8, 8);
  CHECK(assigned<float>(vectors, codewords, one) == plain_assign<float>(vectors, codewords, one));
}

TEMPLATE_TEST_CASE("cancellation in the expanded distance: assign sees through a singular metric", "[codebook][reference][pitfall]", float, double) {
  // H does not see (b, a), where everything lies far out: scores are rounding, only differences tell.
  using T = TestType;
  basin::test::Rng rng(36);
  basin::HessianBlocks blocks(1, 2);
  const double a = 0.7, b = 0.3;
  blocks.block(0) << a * a, -a * b, -a * b, b * b;
  const double spread = std::is_same_v<T, float> ? 1e-3 : 1e-9;
  const auto near = [&](Index rows) {
    Dense values = spread * basin::test::normal_matrix<double>(rows, 2, rng);
    values.col(0).array() += 1000 * b;
    values.col(1).array() += 1000 * a;
    return basin::Matrix<T>(values.cast<T>());
  };
  const auto codewords = near(30), vectors = near(64);
  CHECK(assigned<T>(vectors, codewords, blocks) == plain_assign<T>(vectors, codewords, blocks));
}

TEST_CASE("assign takes any bits as vectors and codewords", "[codebook][reference]") {
  // Blocks of ordinary vectors between those with infinities, denormals and what is not a number.
  basin::test::Rng rng(37);
  const Index dim = GENERATE(4, 8, 16);
  const bool any_codewords = GENERATE(false, true);
  CAPTURE(dim, any_codewords);
  const auto any_bits = [&](auto&& row) {
    for (Index d = 0; d < row.size(); ++d) row(d) = std::bit_cast<float>(static_cast<std::uint32_t>(rng()));
  };
  basin::Matrix<float> vectors = basin::test::normal_matrix<float>(1500, dim, rng);
  for (const Index n : {0, 100, 555, 1025, 1499}) any_bits(vectors.row(n));
  vectors.row(7).setConstant(1e-42f);
  vectors.row(8).setZero();
  vectors.middleRows(256, 256) *= 1e-42f;
  basin::Matrix<float> codewords = basin::test::normal_matrix<float>(64, dim, rng);
  if (any_codewords) any_bits(codewords.row(9));
  const auto blocks = basin::EuclideanBlocks::identity(dim, dim);
  CHECK(assigned<float>(vectors, codewords, blocks) == plain_assign<float>(vectors, codewords, blocks));
}

TEST_CASE("ties: assign takes the smallest index", "[codebook][property][pitfall]") {
  basin::test::Rng rng(33);
  basin::Matrix<float> codewords = basin::test::normal_matrix<float>(9, 8, rng);
  codewords.row(7) = codewords.row(2);
  codewords.row(4) = codewords.row(2);
  basin::Matrix<float> vectors(3, 8);
  vectors.rowwise() = codewords.row(7);
  const auto blocks = spd_blocks(1, 8, 10, rng);
  CHECK(assigned<float>(vectors, codewords, blocks) == std::vector<Code>(3, Code{2}));
  // A metric that sees nothing: everything is a tie.
  CHECK(assigned<float>(vectors, codewords, basin::HessianBlocks(1, 8)) == std::vector<Code>(3, Code{0}));
}

TEST_CASE("assign follows the metric of each group", "[codebook][reference]") {
  basin::HessianBlocks blocks(2, 2);
  blocks.block(0).diagonal() << 1, 100;
  blocks.block(1).diagonal() << 1, 1;
  basin::Matrix<double> codewords(2, 2);
  codewords << 1, 0, 0, 0.5;
  const auto codes = assigned<double>(Dense::Zero(2, 2), codewords, blocks);
  CHECK(codes == std::vector<Code>{0, 1});  // d = 1 against 25, and 1 against .25
}

TEST_CASE("assign copes with scales far from one", "[codebook][property]") {
  basin::test::Rng rng(34);
  auto blocks = spd_blocks(2, 8, 1e3, rng);
  const auto codewords = basin::test::normal_matrix<float>(20, 8, rng);
  const auto vectors = basin::test::normal_matrix<float>(50, 8, rng);
  const auto want = assigned<float>(vectors, codewords, blocks);
  const double scale = GENERATE(1e-200, 1e-30, 1e30, 1e200);
  for (Index j = 0; j < 2; ++j) blocks.block(j) *= scale;
  CHECK(assigned<float>(vectors, codewords, blocks) == want);
  const basin::Matrix<float> tiny_codewords = codewords * 0x1p-60f, tiny_vectors = vectors * 0x1p-60f;
  CHECK(assigned<float>(tiny_vectors, tiny_codewords, blocks) == want);
}

TEST_CASE("large K = 65536: assign reads large codebooks and gives every code", "[codebook][reference][pitfall]") {
  const Index size = 65536;
  basin::Matrix<float> codewords(size, 1);
  for (Index k = 0; k < size; ++k) codewords(k, 0) = static_cast<float>(size - k);
  basin::Matrix<float> vectors(5, 1);
  vectors << 1.2f, 65536.f, 30000.4f, 2.9f, 65535.2f;
  CHECK(assigned<float>(vectors, codewords, basin::EuclideanBlocks::identity(1, 1)) ==
        std::vector<Code>{65535, 0, 35536, 65533, 1});
}

TEST_CASE("assign does not depend on the executor", "[codebook][property]") {
  basin::test::Rng rng(35);
  const auto blocks = spd_blocks(2, 4, 1e2, rng);
  const auto codewords = basin::test::normal_matrix<float>(16, 4, rng);
  const auto vectors = basin::test::normal_matrix<float>(2 * 4200, 4, rng);  // several tasks per group
  const auto want = assigned<float>(vectors, codewords, blocks);
  for (const Index count : {1, 2, 7}) {
    basin::test::Threads threads{count};
    CHECK(assigned<float>(vectors, codewords, blocks, {.executor = threads}) == want);
  }
}

TEST_CASE("assign names sizes that do not fit", "[codebook][bad-input]") {
  const auto blocks = basin::EuclideanBlocks::identity(8, 4);
  const Dense vectors = Dense::Zero(6, 4);
  std::vector<Code> codes(6);
  CHECK_THROWS_AS(basin::assign<double>(vectors, Dense::Zero(0, 4), blocks, codes), basin::ShapeError);
  CHECK_THROWS_WITH(basin::assign<double>(vectors, Dense::Zero(2, 3), blocks, codes),
                    basin::test::contains_text("4 dimensions and codewords 3"));
  CHECK_THROWS_WITH(basin::assign<double>(Dense::Zero(5, 4), Dense::Zero(2, 4), blocks, codes),
                    basin::test::contains_text("whole rows of 2"));
  CHECK_THROWS_WITH(basin::assign<double>(Dense::Zero(4, 4), Dense::Zero(2, 4), blocks, codes),
                    basin::test::contains_text("as many codes, got 6"));
  CHECK_THROWS_AS(basin::assign<double>(Dense::Zero(6, 6), Dense::Zero(2, 6), blocks, codes), basin::ShapeError);
}
