#include <basin/codebook/int16_table.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::detail::Int16Lanes;
using basin::detail::Int16Table;
using basin::detail::NearestTable;
using basin::detail::PlainInt16Lanes;
using Floats = basin::Matrix<float>;
using Codes = std::vector<std::uint16_t>;

namespace {
constexpr std::uint16_t untouched = 54321;

/// The argmin of distances in double, the smallest index on ties.
Codes plain_codes(const Floats& vectors, const Floats& codewords, const basin::Matrix<double>& h) {
  Codes codes;
  for (Index n = 0; n < vectors.rows(); ++n) {
    double least = std::numeric_limits<double>::infinity();
    Index nearest = 0;
    for (Index k = 0; k < codewords.rows(); ++k) {
      const double distance = basin::detail::block_distance(vectors.row(n).data(), codewords.row(k).data(), h.data(), h.rows(),
                                                            vectors.cols() / h.rows());
      if (distance < least) {
        least = distance;
        nearest = k;
      }
    }
    codes.push_back(static_cast<std::uint16_t>(nearest));
  }
  return codes;
}

/// Codes by one block of integers at a time; those of a block that has no scale stay untouched.
template <class Lanes>
Codes rounded_codes(const Floats& vectors, const Floats& codewords, const basin::Matrix<double>& h) {
  const Index dim = vectors.cols();
  const NearestTable<float> table(codewords.data(), codewords.rows(), h.data(), h.rows(), dim / h.rows());
  REQUIRE(Int16Table::fits(table));
  const Int16Table rounded(table);
  std::vector<std::int32_t> constants(static_cast<std::size_t>(rounded.padded_size()));
  Codes codes(static_cast<std::size_t>(vectors.rows()), untouched);
  for (Index begin = 0; begin < vectors.rows(); begin += Int16Table::block_size) {
    const Index count = std::min(Int16Table::block_size, vectors.rows() - begin);
    const auto assign = [&](auto fixed) {
      return rounded.assign<fixed(), Lanes>(vectors.row(begin).data(), dim, count, codes.data() + begin, 1, constants.data());
    };
    const bool done = dim == 4   ? assign(std::integral_constant<int, 4>{})
                      : dim == 8 ? assign(std::integral_constant<int, 8>{})
                                 : assign(std::integral_constant<int, 16>{});
    CHECK(done == (codes[static_cast<std::size_t>(begin)] != untouched));
  }
  return codes;
}

Floats normal(Index rows, Index cols, basin::test::Rng& rng) {
  return basin::test::normal_matrix<float>(rows, cols, rng);
}
}  // namespace

TEMPLATE_TEST_CASE("Int16Table finds the argmin of distances in double", "[codebook][reference]", PlainInt16Lanes, Int16Lanes) {
  const Index g = GENERATE(4, 8, 16), size = GENERATE(32, 37, 256);
  const double cond = GENERATE(1.0, 1e4);
  CAPTURE(g, size, cond);
  basin::test::Rng rng(191);
  const auto h = basin::test::spd_matrix<double>(g, cond, rng);
  const Floats codewords = normal(size, g, rng);
  for (const Index count : {1, 31, 33, 300}) {
    const Floats vectors = normal(count, g, rng);
    CHECK(rounded_codes<TestType>(vectors, codewords, h) == plain_codes(vectors, codewords, h));
  }
}

TEMPLATE_TEST_CASE("Int16Table sums over the rows of a codeword", "[codebook][reference]", PlainInt16Lanes, Int16Lanes) {
  basin::test::Rng rng(192);
  const auto h = basin::test::spd_matrix<double>(4, 100, rng);
  const Floats codewords = normal(64, 8, rng), vectors = normal(256, 8, rng);
  CHECK(rounded_codes<TestType>(vectors, codewords, h) == plain_codes(vectors, codewords, h));
}

TEMPLATE_TEST_CASE("Int16Table leaves what integers cannot tell to NearestTable", "[codebook][reference]", PlainInt16Lanes, Int16Lanes) {
  basin::test::Rng rng(193);
  const basin::Matrix<double> h = basin::Matrix<double>::Identity(8, 8);
  Floats codewords = normal(64, 8, rng), vectors = normal(256, 8, rng);
  SECTION("codewords in pairs that differ by rounding") {
    for (Index k = 0; k < 64; k += 2) codewords.row(k + 1) = codewords.row(k) * (1 + 1e-6f);
  }
  SECTION("equal codewords, in one chunk and in two") {
    for (Index k = 0; k < 64; ++k) codewords.row(k) = codewords.row(k % 24);
  }
  SECTION("all far from zero, close together") {
    const double spread = GENERATE(1e-1, 1e-3, 1e-5);
    codewords = (static_cast<float>(spread) * codewords.array() + 100.0f).matrix().eval();
    vectors = (static_cast<float>(spread) * vectors.array() + 100.0f).matrix().eval();
  }
  SECTION("a vector a million times as long as the others") {
    vectors.row(77) *= 1e6f;
  }
  SECTION("halfway between two codewords") {
    for (Index n = 0; n < 256; ++n) vectors.row(n) = (codewords.row(n % 64) + codewords.row((n * 7 + 1) % 64)) / 2;
  }
  CHECK(rounded_codes<TestType>(vectors, codewords, h) == plain_codes(vectors, codewords, h));
}

TEMPLATE_TEST_CASE("Int16Table uses its range, whichever of vectors and codewords are longer", "[codebook][reference]", PlainInt16Lanes, Int16Lanes) {
  basin::test::Rng rng(194);
  const basin::Matrix<double> h = basin::Matrix<double>::Identity(8, 8);
  const float of_vectors = GENERATE(1e-5f, 1e-2f, 1.0f, 1e2f, 1e5f), of_codewords = GENERATE(1e-5f, 1e-2f, 1.0f, 1e2f, 1e5f);
  CAPTURE(of_vectors, of_codewords);
  const Floats codewords = of_codewords * normal(40, 8, rng), vectors = of_vectors * normal(64, 8, rng);
  CHECK(rounded_codes<TestType>(vectors, codewords, h) == plain_codes(vectors, codewords, h));
}

TEMPLATE_TEST_CASE("Int16Table refuses blocks without a scale and writes no code", "[codebook][bad-input]", PlainInt16Lanes, Int16Lanes) {
  basin::test::Rng rng(195);
  const basin::Matrix<double> h = basin::Matrix<double>::Identity(8, 8);
  const Floats codewords = normal(64, 8, rng);
  Floats vectors = normal(2 * Int16Table::block_size, 8, rng);
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30f);
  vectors(3, 5) = bad;
  const Codes codes = rounded_codes<TestType>(vectors, codewords, h), want = plain_codes(vectors, codewords, h);
  for (Index n = 0; n < vectors.rows(); ++n) {
    const auto slot = static_cast<std::size_t>(n);
    CHECK(codes[slot] == (n < Int16Table::block_size ? untouched : want[slot]));
  }
  // Where the rounding of double decides between codewords, integers cannot.
  CHECK(rounded_codes<TestType>(1e9f * normal(40, 8, rng), 1e-9f * codewords, h) == Codes(40, untouched));
  for (const float scale : {0.0f, 1e-30f, 1e-42f}) {
    const Floats tiny = scale * vectors.bottomRows(40);
    CHECK(rounded_codes<TestType>(tiny, codewords, h) == Codes(40, untouched));
  }
}

TEST_CASE("Int16Table does not fit codebooks without a range", "[codebook][bad-input]") {
  basin::test::Rng rng(196);
  const basin::Matrix<double> h = basin::Matrix<double>::Identity(8, 8);
  const auto fits = [&](const Floats& codewords) {
    return Int16Table::fits(NearestTable<float>(codewords.data(), codewords.rows(), h.data(), 8, codewords.cols() / 8));
  };
  const Floats codewords = normal(64, 8, rng);
  CHECK(fits(codewords));
  CHECK_FALSE(fits(normal(8, 8, rng)));
  CHECK_FALSE(fits(normal(64, 24, rng)));
  CHECK_FALSE(fits(0 * codewords));
  CHECK_FALSE(fits(1e30f * codewords));
  CHECK_FALSE(fits(1e-30f * codewords));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Floats broken = codewords;
    broken(7, 3) = bad;
    CHECK_FALSE(fits(broken));
  }
}
