#include <basin/search/detail/candidates.hpp>
#include <basin/search/detail/coarse_scan.hpp>
#include <basin/search/detail/column_tables.hpp>
#include <basin/search/detail/hypothesis_products.hpp>
#include <basin/search/detail/row_products.hpp>
#include <basin/search/detail/scan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"

// The vector kernels of the searchers against plain loops, at sizes around the vector width.
namespace detail = basin::detail;
using basin::Index;
using basin::test::Rng;

namespace {
template <class T>
std::vector<T> normals(Index n, Rng& rng) {
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x) value = static_cast<T>(rng.normal());
  return x;
}
constexpr std::size_t at(Index i) { return static_cast<std::size_t>(i); }
}  // namespace

TEMPLATE_TEST_CASE("accumulate_scores is a sum of scaled rows", "[search][reference]", float, double) {
  using T = TestType;
  const Index n = GENERATE(64, 128, 256, 1024), depth = GENERATE(1, 3, 8, 17);
  Rng rng(1);
  const auto start = normals<T>(n, rng), table = normals<T>(n * depth, rng), v = normals<T>(depth, rng);
  std::vector<T> out(at(n));
  detail::accumulate_scores(start.data(), table.data(), v.data(), depth, n, out.data());
  for (Index k = 0; k < n; ++k) {
    double want = static_cast<double>(start[at(k)]), size = std::abs(want);
    for (Index d = 0; d < depth; ++d) {
      const double term = static_cast<double>(v[at(d)]) * static_cast<double>(table[at(d * n + k)]);
      want += term;
      size += std::abs(term);
    }
    REQUIRE(std::abs(static_cast<double>(out[at(k)]) - want) <=
            static_cast<double>(depth + 1) * static_cast<double>(std::numeric_limits<T>::epsilon()) * size);
  }
}

TEMPLATE_TEST_CASE("extremes, find_at_most and find_sum_at_most agree with plain loops", "[search][reference]", float, double) {
  using T = TestType;
  Rng rng(2);
  for (const Index n : {Index{1}, Index{2}, Index{7}, Index{8}, Index{15}, Index{16}, Index{17}, Index{33}, Index{64}, Index{200}}) {
    CAPTURE(n);
    const auto x = normals<T>(n, rng);
    const auto found = detail::extremes(x.data(), n);
    CHECK(found.least == *std::min_element(x.begin(), x.end()));
    CHECK(found.most == *std::max_element(x.begin(), x.end()));
  }
  for (const Index n : {Index{64}, Index{128}, Index{320}}) {
    const auto x = normals<T>(n, rng), y = normals<T>(n, rng);
    for (const T limit : {T(-5), T(-3), T(-1.5), T(0), x[at(n - 1)], std::numeric_limits<T>::infinity()})
      for (Index from = 0; from <= n; ++from) {
        Index one = from, two = from;
        while (one < n && !(x[at(one)] <= limit)) ++one;
        while (two < n && !(x[at(two)] + y[at(two)] <= limit)) ++two;
        REQUIRE(detail::find_at_most(x.data(), limit, from, n) == one);
        REQUIRE(detail::find_sum_at_most(x.data(), y.data(), limit, from, n) == two);
      }
  }
}

TEST_CASE("lane_mask and list_open_rows find the flags that are set", "[search][reference]") {
  Rng rng(3);
  for (const Index n : {Index{64}, Index{128}, Index{320}})
    for (const double share : {0.0, 0.1, 0.9, 1.0}) {
      std::vector<std::uint8_t> open(at(n));
      std::vector<std::uint16_t> want, rows(at(n));
      for (Index k = 0; k < n; ++k) {
        open[at(k)] = rng.uniform() < share;
        if (open[at(k)]) want.push_back(static_cast<std::uint16_t>(k));
      }
      rows.resize(at(detail::list_open_rows(open.data(), n, rows.data())));
      REQUIRE(rows == want);
      for (Index k = 0; k < 64; ++k) REQUIRE((detail::lane_mask(open.data()) >> k & 1) == open[at(k)]);
    }
}

TEMPLATE_TEST_CASE("quantize_down and measure_room round down within a byte", "[search][reference]", float, double) {
  using T = TestType;
  Rng rng(4);
  const Index n = 128;
  auto x = normals<T>(n, rng), y = normals<T>(n, rng);
  x[3] = y[5] = std::numeric_limits<T>::infinity();  // padding
  const T least = *std::min_element(x.begin(), x.end()), per_step = T(50), start = T(1.5), slack = T(0.05);
  std::vector<std::uint8_t> coarse(at(n)), rooms(at(n)), open(at(n));
  detail::quantize_down(x.data(), least, per_step, n, coarse.data());
  detail::measure_room(x.data(), y.data(), start, per_step, slack, n, rooms.data(), open.data());
  for (Index k = 0; k < n; ++k) {
    CAPTURE(k);
    REQUIRE(T(coarse[at(k)]) == std::min(T(255), std::floor((x[at(k)] - least) * per_step)));
    const T room = (start - x[at(k)] - y[at(k)]) * per_step + slack;
    REQUIRE(open[at(k)] == (room >= 0));
    REQUIRE(T(rooms[at(k)]) == std::clamp(std::floor(room), T(0), T(255)));
  }
}

TEST_CASE("measure_room opens everything while the beam is not full", "[search][reference]") {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(64, 1.0f), y(64, 2.0f);
  x[7] = inf;  // padding stays closed: inf - inf is no room
  std::vector<std::uint8_t> rooms(64), open(64);
  detail::measure_room(x.data(), y.data(), inf, 10.0f, 0.05f, 64, rooms.data(), open.data());
  for (std::size_t k = 0; k < 64; ++k) {
    REQUIRE(open[k] == (k == 7 ? 0 : 1));
    if (k != 7) REQUIRE(rooms[k] == 255);
  }
}

TEST_CASE("next_promising finds the same rows as a plain scan", "[search][reference]") {
  Rng rng(5);
  for (const Index n : {Index{64}, Index{128}, Index{192}, Index{256}, Index{512}}) {
    CAPTURE(n);
    basin::AlignedVector<std::uint8_t> coarse(at(n * n)), second(at(n));
    for (auto* values : {&coarse, &second})
      for (std::uint8_t& value : *values) value = static_cast<std::uint8_t>(rng.uniform() * 256);
    std::vector<std::uint8_t> rooms(at(n));
    std::vector<std::uint16_t> rows;
    for (Index k = 0; k < n; ++k) {
      rooms[at(k)] = static_cast<std::uint8_t>(k % 7 == 0 ? 255 : rng.uniform() * 32);
      if (k % 3 != 0) rows.push_back(static_cast<std::uint16_t>(k));
    }
    const auto count = static_cast<Index>(rows.size());
    const auto promising = [&](Index row) {
      for (Index k = 0; k < n; ++k)
        if (std::min(255, coarse[at(row * n + k)] + second[at(k)]) <= rooms[at(row)]) return true;
      return false;
    };
    Index found = 0;
    for (Index from = 0; from <= count; ++from) {
      Index want = from;
      while (want < count && !promising(rows[at(want)])) ++want;
      REQUIRE(detail::next_promising(coarse.data(), second.data(), n, rooms.data(), rows.data(), from, count) == want);
      found += want == from && from < count;
    }
    CHECK(found > 0);
    CHECK(found < count);
  }
}

TEMPLATE_TEST_CASE("row_products multiplies, and a row alone gives the same bits", "[search][reference]", float, double) {
  using T = TestType;
  Rng rng(3);
  const Index depth = GENERATE(1, 5, 33), columns = GENERATE(1, 7, 16, 31, 64, 65, 130);
  for (const Index rows : {Index{1}, Index{3}, Index{4}, Index{6}, Index{9}}) {
    const Index left_stride = depth + 2, right_stride = columns + 3, out_stride = columns + 1;
    const auto left = normals<T>(rows * left_stride, rng), right = normals<T>(depth * right_stride, rng);
    std::vector<T> out(at(rows * out_stride), T(-9)), alone(at(columns));
    detail::row_products(left.data(), rows, left_stride, right.data(), right_stride, depth, columns, out.data(), out_stride);
    for (Index r = 0; r < rows; ++r) {
      detail::row_products(left.data() + r * left_stride, 1, left_stride, right.data(), right_stride, depth, columns,
                           alone.data(), columns);
      for (Index c = 0; c < columns; ++c) {
        double want = 0, size = 0;
        for (Index i = 0; i < depth; ++i) {
          const double term = static_cast<double>(left[at(r * left_stride + i)]) * static_cast<double>(right[at(i * right_stride + c)]);
          want += term;
          size += std::abs(term);
        }
        const T got = out[at(r * out_stride + c)];
        REQUIRE(std::abs(static_cast<double>(got) - want) <=
                static_cast<double>(depth) * static_cast<double>(std::numeric_limits<T>::epsilon()) * size);
        REQUIRE(alone[at(c)] == got);
      }
      CHECK(out[at(r * out_stride + columns)] == T(-9));  // nothing behind a row
    }
  }
}

TEMPLATE_TEST_CASE("subtract_changes subtracts the listed groups, in place too", "[search][reference]", float, double) {
  using T = TestType;
  Rng rng(4);
  const Index g = GENERATE(1, 4, 5);
  const std::vector<Index> groups = GENERATE(values<std::vector<Index>>({{}, {0}, {1, 3}, {0, 1, 2, 3}}));
  for (const Index columns : {Index{1}, Index{5}, detail::product_columns<T> - 1, detail::product_columns<T>}) {
    const Index stride = columns + 2;
    const auto base = normals<T>(columns, rng), delta = normals<T>(4 * g, rng), right = normals<T>(4 * g * stride, rng);
    std::vector<T> out(at(columns)), in_place = base;
    const auto count = static_cast<Index>(groups.size());
    detail::subtract_changes(base.data(), delta.data(), groups.data(), count, g, right.data(), stride, columns, out.data());
    detail::subtract_changes(in_place.data(), delta.data(), groups.data(), count, g, right.data(), stride, columns, in_place.data());
    CHECK(out == in_place);
    for (Index c = 0; c < columns; ++c) {
      double want = static_cast<double>(base[at(c)]), size = std::abs(want);
      for (const Index n : groups)
        for (Index i = n * g; i < (n + 1) * g; ++i) {
          const double term = static_cast<double>(delta[at(i)]) * static_cast<double>(right[at(i * stride + c)]);
          want -= term;
          size += std::abs(term);
        }
      CHECK(std::abs(static_cast<double>(out[at(c)]) - want) <=
            static_cast<double>(4 * g + 1) * static_cast<double>(std::numeric_limits<T>::epsilon()) * size);
    }
  }
}

TEMPLATE_TEST_CASE("HypothesisProducts keeps R H of every hypothesis", "[search][reference]", float, double) {
  using T = TestType;
  using Dense = basin::Matrix<double>;
  struct Hypothesis {
    Dense residual;   // [g_out, n]
    Index ancestor;   // when the window opened
    int slot;
  };
  const Index beam = GENERATE(1, 3), g = GENERATE(3, 8), g_out = GENERATE(1, 2), rows = 2;
  CAPTURE(beam, g, g_out);
  Rng rng(6);
  const Index window = std::max<Index>(1, detail::product_columns<T> / g);
  const Index groups = 2 * window + 1, n = groups * g;  // the last window is cut short
  const basin::Matrix<T> hessian = basin::test::spd_matrix<T>(n, T(100), rng);
  const Dense exact = hessian.template cast<double>();
  detail::HypothesisProducts<T> products(hessian, rows, beam, g, g_out);
  REQUIRE(products.window_groups() == window);

  std::vector<std::vector<Hypothesis>> all(at(rows));
  for (Index row = 0; row < rows; ++row) {
    const Dense residual = basin::test::normal_matrix<double>(g_out, n, rng);
    all[at(row)] = {{residual, 0, 0}};
    const Dense product = residual * exact;
    for (Index i = 0; i < g_out * n; ++i) products.start(row)[i] = static_cast<T>(product.data()[i]);
  }
  const auto count = [&](Index row) { return static_cast<Index>(all[at(row)].size()); };
  for (Index begin = 0; begin < groups; begin += window) {
    const Index end = std::min(groups, begin + window);
    products.open(begin, end, count);
    std::vector<std::vector<Dense>> before(at(rows));
    for (Index row = 0; row < rows; ++row)
      for (Index h = 0; h < count(row); ++h) {
        all[at(row)][at(h)].ancestor = h;
        all[at(row)][at(h)].slot = static_cast<int>(h);
        before[at(row)].push_back(all[at(row)][at(h)].residual);
      }
    for (Index t = begin; t < end; ++t)
      for (Index row = 0; row < rows; ++row) {
        std::vector<Hypothesis>& now = all[at(row)];
        for (const Hypothesis& hypothesis : now) {
          const Dense want = hypothesis.residual * exact;
          const Dense size = hypothesis.residual.cwiseAbs() * exact.cwiseAbs();
          const T* got = products.at_group(row, hypothesis.slot, t);
          for (Index p = 0; p < g_out; ++p)
            for (Index i = 0; i < g; ++i)  // one rounding per term of the product and of every change
              REQUIRE(std::abs(static_cast<double>(got[p * products.window_columns() + i]) - want(p, t * g + i)) <=
                      8.0 * static_cast<double>(n) * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                          size.maxCoeff());
        }
        // One child keeps its parent's codes, the others change this group.
        std::vector<Hypothesis> next;
        std::vector<bool> taken(at(2 * beam));
        for (const Hypothesis& hypothesis : now) taken[static_cast<std::size_t>(hypothesis.slot)] = true;
        for (Index child = 0; child < beam; ++child) {
          Hypothesis made = now[at(rng.below(static_cast<Index>(now.size())))];
          if (child > 0 || rng.uniform() < 0.5) {
            const int slot = static_cast<int>(std::find(taken.begin(), taken.end(), false) - taken.begin());
            taken[static_cast<std::size_t>(slot)] = true;
            const auto change = normals<T>(g_out * g, rng);
            products.branch(row, made.slot, slot, t, change.data());
            for (Index p = 0; p < g_out; ++p)
              for (Index i = 0; i < g; ++i) made.residual(p, t * g + i) -= static_cast<double>(change[at(p * g + i)]);
            made.slot = slot;
          }
          next.push_back(made);
        }
        now = next;
      }
    if (end == groups) continue;
    products.close(count, [&](Index row, Index h, T* changes) {
      const Hypothesis& hypothesis = all[at(row)][at(h)];
      const Dense moved = before[at(row)][at(hypothesis.ancestor)] - hypothesis.residual;
      for (Index p = 0; p < g_out; ++p)
        for (Index c = begin * g; c < end * g; ++c)
          changes[p * products.window_columns() + c - begin * g] = static_cast<T>(moved(p, c));
      return hypothesis.ancestor;
    });
  }
}

TEMPLATE_TEST_CASE("Column tables hold energies, cross terms and lower bounds of them", "[search][reference]", float, double) {
  using T = TestType;
  const basin::Scheme scheme = GENERATE(values<basin::Scheme>({{2, 3, 4, 1}, {2, 6, 8, 1}, {3, 7, 3, 2}, {1, 1, 1, 1}}));
  Rng rng(5);
  const auto weight = basin::test::random_weight<T>(scheme.out_group_size, scheme.in_group_size, scheme, rng);
  const Index g = scheme.in_group_size, size = weight.codebooks.size();
  const basin::Matrix<double> h = basin::test::spd_matrix<double>(g, 100, rng);
  const basin::Matrix<T> block = h.template cast<T>();
  const detail::TransposedCodebooks<T> transposed(weight.codebooks);
  detail::ColumnTables<T> tables(weight.codebooks, transposed);
  tables.build(block.data(), g);
  const Index padded = transposed.padded_size();
  CHECK(padded == (size + 63) / 64 * 64);
  const auto product = [&](Index m1, Index k1, Index m2, Index k2) {
    double sum = 0;
    for (Index p = 0; p < scheme.out_group_size; ++p)
      for (Index i = 0; i < g; ++i)
        for (Index l = 0; l < g; ++l)
          sum += static_cast<double>(weight.codebooks.codeword(m1, k1)[p * g + i]) * h(i, l) *
                 static_cast<double>(weight.codebooks.codeword(m2, k2)[p * g + l]);
    return sum;
  };
  const double bound = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (Index m = 0; m < scheme.num_codebooks; ++m)
    for (Index k = 0; k < padded; ++k) {
      if (k < size)
        REQUIRE(std::abs(static_cast<double>(tables.energy(m)[k]) - product(m, k, m, k)) <= bound);
      else
        REQUIRE(tables.energy(m)[k] == std::numeric_limits<T>::infinity());
    }
  if (scheme.num_codebooks == 1) return;
  detail::PairTable<T> pair;
  tables.build_pair({1, 0}, pair);
  CHECK(pair.step > 0);
  for (Index k1 = 0; k1 < size; ++k1)
    for (Index k2 = 0; k2 < size; ++k2) {
      const T cross = pair.cross[at(k1 * padded + k2)];
      REQUIRE(std::abs(static_cast<double>(cross) - 2 * product(1, k1, 0, k2)) <= bound);
      REQUIRE(pair.row_min[at(k1)] <= cross);
      const double floor = static_cast<double>(pair.row_min[at(k1)]) + static_cast<double>(pair.step) * pair.coarse[at(k1 * padded + k2)];
      REQUIRE(floor <= static_cast<double>(cross) + 0.01 * static_cast<double>(pair.step));  // a twentieth is allowed for
      if (pair.coarse[at(k1 * padded + k2)] < 255) REQUIRE(static_cast<double>(cross) < floor + 1.01 * static_cast<double>(pair.step));
    }
}

TEST_CASE("CandidateList keeps the best, in order, each once", "[search][reference]") {
  Rng rng(6);
  const int capacity = GENERATE(1, 2, 5, 16);
  detail::CandidateList list(capacity);
  std::vector<detail::Candidate> all;
  for (int i = 0; i < 200; ++i) {
    detail::Candidate candidate{static_cast<double>(rng.below(12)), static_cast<int>(rng.below(3)), static_cast<int>(rng.below(2)),
                                rng.below(4) != 0, {}};
    candidate.codes[0] = static_cast<std::uint16_t>(rng.below(6));
    list.insert(candidate);
    all.push_back(candidate);
    // By the book: sort all, keep the first of every (origin, codes), cut.
    std::vector<detail::Candidate> sorted = all, want;
    std::stable_sort(sorted.begin(), sorted.end());
    std::set<std::pair<int, std::uint16_t>> seen;
    for (const auto& each : sorted)
      if (want.size() < at(capacity) && seen.insert({each.origin, each.codes[0]}).second) want.push_back(each);
    REQUIRE(list[0].loss == want[0].loss);
    REQUIRE(list[0].codes == want[0].codes);
    for (std::size_t n = 1; n < list.size(); ++n) REQUIRE(!(list[n] < list[n - 1]));
    REQUIRE(list.size() == want.size());
    for (std::size_t n = 0; n < list.size(); ++n) REQUIRE(list[n].loss == want[n].loss);
    if (list.size() == at(capacity))
      REQUIRE(list.limit() == list[list.size() - 1].loss);
    else
      REQUIRE(std::isinf(list.limit()));
  }
}

TEST_CASE("ties: candidates are ordered by loss, keeping, parent and codes", "[search][reference][pitfall]") {
  const detail::Candidate base{1.0, 1, 0, true, {4}};
  auto other = base;
  CHECK(!(base < other));
  other.loss = 0.5;
  CHECK(other < base);
  other = base;
  other.parent = 5;
  CHECK(base < other);
  other.is_change = false;
  CHECK(other < base);  // keeping wins over an earlier parent
  other = base;
  other.codes[0] = 3;
  CHECK(other < base);
}
