#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/half.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/concepts.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <vector>

namespace basin {
/// A weight as one scale per row and scalar codes, while it is being quantized.
///
///     What[o, i] = s[o] * (levels[z[o, i]] - zero_points[o])
///
/// Shapes    codes: [n_out, n_in], below levels.size();  scales: [n_out];  zero_points: [n_out], or
///           empty where the level set has none.
/// Source    Qift, arXiv:2606.02823; asymmetric integers as in GPTQ, arXiv:2210.17323.
template <std::floating_point T>
struct LevelWeight {
  using value_type = T;

  std::vector<T> levels;       ///< ascending
  Matrix<std::uint8_t> codes;  ///< [n_out, n_in]
  Vector<T> scales;            ///< [n_out]
  Vector<T> zero_points;       ///< [n_out] or empty

  [[nodiscard]] Index n_out() const noexcept { return codes.rows(); }
  [[nodiscard]] Index n_in() const noexcept { return codes.cols(); }
  [[nodiscard]] T zero_point(Index o) const noexcept { return zero_points.size() == 0 ? T(0) : zero_points(o); }
  /// The value of one code in row o.
  [[nodiscard]] T value(Index o, std::uint8_t code) const noexcept {
    return scales(o) * (levels[code] - zero_point(o));
  }
  /// What, shape [n_out, n_in].
  [[nodiscard]] Matrix<T> decode(const RunContext& context = {}) const {
    Matrix<T> decoded(n_out(), n_in());
    for_each_range(context, n_out(), 16, [&](Index begin, Index end) {
      for (Index o = begin; o < end; ++o)
        for (Index i = 0; i < n_in(); ++i) decoded(o, i) = value(o, codes(o, i));
    });
    return decoded;
  }
  /// Codes in whole bits, fp16 scales, and zero points as codes are.
  [[nodiscard]] BitsPerWeight stored_bits() const noexcept {
    constexpr double fp16_bits = 16;
    const auto code_bits = static_cast<double>(std::bit_width(levels.size() - 1));
    const auto per_row = fp16_bits + (zero_points.size() == 0 ? 0 : code_bits);
    return {.codes = code_bits, .codebooks = 0, .scales = per_row / static_cast<double>(n_in())};
  }
};

/// Rounds scales to the fp16 values that a checkpoint stores.
///
/// @throws ValueError if a scale does not fit into fp16.
template <std::floating_point T>
void round_to_half(LevelWeight<T>& weight) {
  for (Index o = 0; o < weight.scales.size(); ++o) {
    const T scale = weight.scales(o);
    weight.scales(o) = static_cast<T>(round_to_half(static_cast<float>(scale)));
    if (!(std::abs(weight.scales(o)) <= static_cast<T>(max_half)))
      raise<ValueError>("round_to_half: scale ", static_cast<double>(scale), " of row ", o,
                        " does not fit into fp16; scale the layer down");
  }
}

}  // namespace basin
