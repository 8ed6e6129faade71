#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// How a Hadamard matrix is made that is no power of two.
enum class HadamardCore {
  none,       ///< 1 x 1
  paley_one,  ///< q + 1 for a prime q = 3 mod 4
  paley_two,  ///< 2 (q + 1) for a prime q = 1 mod 4
  williamson  ///< four symmetric circulants, from a table: 52, 156, 172
};

[[nodiscard]] constexpr std::string_view to_string(HadamardCore core) noexcept {
  switch (core) {
    case HadamardCore::none: return "none";
    case HadamardCore::paley_one: return "Paley I";
    case HadamardCore::paley_two: return "Paley II";
    case HadamardCore::williamson: return "Williamson";
  }
  return "unknown";
}

namespace detail {
[[nodiscard]] constexpr bool is_prime(Index q) noexcept {
  for (Index factor = 2; factor * factor <= q; ++factor)
    if (q % factor == 0) return false;
  return q > 1;
}

/// First rows of the four circulants; '+' is 1.
struct WilliamsonRows {
  Index order;
  std::array<std::string_view, 4> rows;
};
inline constexpr std::array<WilliamsonRows, 3> williamson_table{{
    {52, {"+-+--++++--+-", "+---++++++---", "++-+--++--+-+", "+----+--+----"}},
    {156,
     {"+++--+-+-----+--++----++--+-----+-+--++", "++++---+--++----+-+--+-+----++--+---+++",
      "+++--++-+---+-+--+----+--+-+---+-++--++", "+---++-+-+-----+++-++-+++-----+-+-++---"}},
    {172,
     {"+---++--++++-+-+++-++--++-+++-+-++++--++---", "++-++++++----+-+--++-++-++--+-+----++++++-+",
      "+++-+-++--+-+-++++-+----+-++++-+-+--++-+-++", "++---++++-+--+--++--------++--+--+-++++---+"}},
}};

/// The quadratic character of x modulo the prime q.
class Legendre {
 public:
  explicit Legendre(Index q) : q_(q), values_(static_cast<std::size_t>(q), std::int8_t{-1}) {
    values_[0] = 0;
    for (Index x = 1; x < q; ++x) values_[static_cast<std::size_t>(x * x % q)] = 1;
  }
  [[nodiscard]] std::int8_t operator()(Index x) const noexcept { return values_[static_cast<std::size_t>((x % q_ + q_) % q_)]; }

 private:
  Index q_;
  std::vector<std::int8_t> values_;
};

/// [[0, 1], [corner, J]], J[a, b] = (a - b | q): order q + 1.
[[nodiscard]] inline Matrix<std::int8_t> conference_matrix(Index q, std::int8_t corner) {
  const Legendre character(q);
  Matrix<std::int8_t> s(q + 1, q + 1);
  s(0, 0) = 0;
  s.row(0).tail(q).setConstant(1);
  s.col(0).tail(q).setConstant(corner);
  for (Index a = 0; a < q; ++a)
    for (Index b = 0; b < q; ++b) s(a + 1, b + 1) = character(a - b);
  return s;
}

[[nodiscard]] inline Matrix<std::int8_t> paley_one(Index order) {
  Matrix<std::int8_t> h = conference_matrix(order - 1, -1);
  h.diagonal().setConstant(1);
  return h;
}

[[nodiscard]] inline Matrix<std::int8_t> paley_two(Index order) {
  const Matrix<std::int8_t> s = conference_matrix(order / 2 - 1, 1);
  Matrix<std::int8_t> zero(2, 2), one(2, 2), h(order, order);
  zero << 1, -1, -1, -1;
  one << 1, 1, 1, -1;
  for (Index a = 0; a < s.rows(); ++a)
    for (Index b = 0; b < s.cols(); ++b) {
      auto block = h.block(2 * a, 2 * b, 2, 2);
      if (s(a, b) == 0) block = zero;
      else block = s(a, b) * one;
    }
  return h;
}

[[nodiscard]] inline Matrix<std::int8_t> williamson(const WilliamsonRows& table) {
  // Which circulant, and with which sign, in each block.
  constexpr int blocks[4][4] = {{1, 2, 3, 4}, {-2, 1, -4, 3}, {-3, 4, 1, -2}, {-4, -3, 2, 1}};
  const Index size = table.order / 4;
  Matrix<std::int8_t> h(table.order, table.order);
  for (Index row = 0; row < 4; ++row)
    for (Index column = 0; column < 4; ++column) {
      const int block = blocks[row][column];
      const std::string_view first = table.rows[static_cast<std::size_t>(block < 0 ? -block - 1 : block - 1)];
      for (Index a = 0; a < size; ++a)
        for (Index b = 0; b < size; ++b) {
          const bool is_plus = first[static_cast<std::size_t>((b - a + size) % size)] == '+';
          h(row * size + a, column * size + b) = is_plus == (block > 0) ? 1 : -1;
        }
    }
  return h;
}
}  // namespace detail

/// n = core * 2^power, and how a Hadamard matrix of the core's order is made.
struct HadamardFactors {
  static constexpr Index largest_core = 256;

  Index core = 1;
  int power = 0;
  HadamardCore construction = HadamardCore::none;
};

/// The factors with the smallest core, or none where no construction here has the order n.
[[nodiscard]] constexpr std::optional<HadamardFactors> hadamard_factors(Index n) noexcept {
  if (n < 1) return std::nullopt;
  HadamardFactors factors{n, 0, HadamardCore::none};
  for (; factors.core % 2 == 0; ++factors.power) factors.core /= 2;
  if (factors.core == 1) return factors;
  factors.core *= 4;
  for (factors.power -= 2; factors.power >= 0 && factors.core <= HadamardFactors::largest_core; --factors.power, factors.core *= 2) {
    const Index q = factors.core / 2 - 1;
    if (detail::is_prime(factors.core - 1)) factors.construction = HadamardCore::paley_one;  // core = 0 mod 4
    else if (q % 4 == 1 && detail::is_prime(q)) factors.construction = HadamardCore::paley_two;
    else
      for (const auto& table : detail::williamson_table)
        if (table.order == factors.core) factors.construction = HadamardCore::williamson;
    if (factors.construction != HadamardCore::none) return factors;
  }
  return std::nullopt;
}

/// A Hadamard matrix: entries of 1 and -1, H^T H = n I, made by code.
///
///     H_n = H_core (x) H_2 (x) .. (x) H_2
///
/// Cost      n^2 bytes.
/// Source    Paley, J. Math. Phys. 12, 1933; Williamson, Duke Math. J. 11, 1944, first rows as in the tables of
///           QuIP#, arXiv:2402.04396.
/// @throws ValueError if hadamard_factors(n) is empty.
[[nodiscard]] inline Matrix<std::int8_t> hadamard_matrix(Index n) {
  const auto factors = hadamard_factors(n);
  if (!factors) raise<ValueError>("hadamard_matrix: no construction here has the order ", n);
  Matrix<std::int8_t> h = Matrix<std::int8_t>::Ones(1, 1);
  switch (factors->construction) {
    case HadamardCore::none: break;
    case HadamardCore::paley_one: h = detail::paley_one(factors->core); break;
    case HadamardCore::paley_two: h = detail::paley_two(factors->core); break;
    case HadamardCore::williamson:
      for (const auto& table : detail::williamson_table)
        if (table.order == factors->core) h = detail::williamson(table);
  }
  for (int stage = 0; stage < factors->power; ++stage) {
    Matrix<std::int8_t> doubled(2 * h.rows(), 2 * h.cols());
    for (Index a = 0; a < h.rows(); ++a)
      for (Index b = 0; b < h.cols(); ++b) {
        doubled.block(2 * a, 2 * b, 2, 2).setConstant(h(a, b));
        doubled(2 * a + 1, 2 * b + 1) = static_cast<std::int8_t>(-h(a, b));
      }
    h = std::move(doubled);
  }
  return h;
}

}  // namespace basin
