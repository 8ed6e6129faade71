#include <basin/codebook/nearest_table.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using basin::Index;
using basin::detail::NearestTable;
using Catch::Matchers::WithinRel;

namespace {
/// The smallest index with the least distance in long double.
template <class T>
Index plain_nearest(const T* v, const basin::Matrix<T>& codewords, const basin::Matrix<double>& h) {
  const Index g = h.rows();
  Index nearest = 0;
  long double least = std::numeric_limits<long double>::infinity();
  for (Index k = 0; k < codewords.rows(); ++k) {
    long double distance = 0;
    for (Index p = 0; p < codewords.cols(); p += g)
      distance += basin::test::quadratic_form(h, basin::ConstMatrixMap<T>(v + p, 1, g).row(0), codewords.row(k).segment(p, g));
    if (distance < least) {
      least = distance;
      nearest = k;
    }
  }
  return nearest;
}
}  // namespace

TEMPLATE_TEST_CASE("NearestTable finds the nearest codeword or says that it is unsure", "[codebook][reference]", float, double) {
  using T = TestType;
  constexpr Index width = NearestTable<T>::tile_width;
  const Index g = GENERATE(1, 3, 4, 8), g_out = GENERATE(1, 2), size = GENERATE(1, 37);
  CAPTURE(g, g_out, size);
  basin::test::Rng rng(87);
  const auto codewords = basin::test::normal_matrix<T>(size, g * g_out, rng);
  const auto h = basin::test::spd_matrix<double>(g, 1e3, rng);
  const auto vectors = basin::test::normal_matrix<T>(width, g * g_out, rng);
  const NearestTable<T> table(codewords.data(), size, h.data(), g, g_out);
  CHECK_FALSE(table.is_zero());
  CHECK(table.size() == size);
  CHECK(table.dim() == g * g_out);
  std::vector<T> tile(static_cast<std::size_t>(g * g_out * width));
  for (Index lane = 0; lane < width; ++lane)
    for (Index d = 0; d < g * g_out; ++d) tile[static_cast<std::size_t>(d * width + lane)] = vectors(lane, d);
  typename NearestTable<T>::Found found;
  table.template scan<0>(tile.data(), found);
  int sure = 0;
  for (Index lane = 0; lane < width; ++lane) {
    const T* v = vectors.row(lane).data();
    const Index want = plain_nearest<T>(v, codewords, h);
    sure += found.unsure[lane] == T(0);
    if (found.unsure[lane] == T(0)) CHECK(static_cast<Index>(found.chunk[lane]) == want / NearestTable<T>::chunk_size);
    CHECK(table.template choose<0>(v, found, lane) == want);
    CHECK(table.resolve(v, found.limit[lane]) == want);
  }
  CHECK(sure >= width / 2);
}

TEST_CASE("NearestTable is unsure of ties and gives them to the smaller index", "[codebook][property]") {
  constexpr Index width = NearestTable<float>::tile_width;
  // 1 and -1 are equally far from 0; the second pair lies in another chunk.
  std::vector<float> codewords(static_cast<std::size_t>(NearestTable<float>::chunk_size), 5.0f);
  codewords[1] = 1;
  codewords[2] = -1;
  codewords.push_back(1);
  const double one = 1;
  const Index size = static_cast<Index>(codewords.size());
  const NearestTable<float> table(codewords.data(), size, &one, 1, 1);
  const std::vector<float> tile(static_cast<std::size_t>(width), 0.0f);
  NearestTable<float>::Found found;
  table.scan<1>(tile.data(), found);
  CHECK(found.unsure[0] == 1);
  CHECK(table.choose<1>(tile.data(), found, 0) == 1);
  CHECK(table.resolve(tile.data(), found.limit[0]) == 1);
  const double zero = 0;
  CHECK(NearestTable<float>(codewords.data(), size, &zero, 1, 1).is_zero());
}

TEST_CASE("block_distance is the quadratic form of every row", "[codebook][reference]") {
  basin::test::Rng rng(88);
  const auto h = basin::test::spd_matrix<double>(5, 100, rng);
  const auto v = basin::test::normal_matrix<float>(2, 5, rng), c = basin::test::normal_matrix<float>(2, 5, rng);
  const long double want = basin::test::quadratic_form(h, v.row(0), c.row(0)) + basin::test::quadratic_form(h, v.row(1), c.row(1));
  CHECK_THAT(basin::detail::block_distance(v.data(), c.data(), h.data(), 5, 2), WithinRel(static_cast<double>(want), 1e-13));
}
