#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels {
/// How keys and values of attention become codes of 4 bits: rows of `size` values, one head of one token each.
///
///     low = clip * min(x, 0),  high = clip * max(x, 0)          over a group; -1 and 1 where all are zero
///     scale = (high - low) / 15,  zero = round(-low / scale)
///     code = clamp(round(x / scale) + zero, 0, 15);   decoded: scale * (code - zero)
///
/// Source    QuaRot, arXiv:2404.00456.
struct Kv4Format {
  std::ptrdiff_t size = 128;
  std::ptrdiff_t group = 128;  ///< a multiple of 32 that divides size
  float clip = 0.95f;

  friend constexpr bool operator==(const Kv4Format&, const Kv4Format&) noexcept = default;
};

/// Whether kernels may be given this format: they do not look themselves.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr FormatError check(const Kv4Format& format) noexcept {
  if (!(format.clip > 0 && format.clip <= 1)) return FormatError::bad_clip;
  const bool divides = format.group > 0 && format.group % 32 == 0 && format.size > 0 && format.size % format.group == 0;
  return divides ? FormatError::none : FormatError::bad_group;
}

/// Rows of codes in the host's memory. The code of even index is in the low half of its byte.
struct Kv4Cache {
  Kv4Format format;
  std::uint8_t* codes = nullptr;  ///< [rows, size / 2]
  float* scales = nullptr;        ///< [rows, size / group]
  std::uint8_t* zeros = nullptr;  ///< [rows, size / group]
};

/// Keys and values in 4 bits, and attention's products with them.
///
///     quantize(cache, x, x_stride, first_row, last_row)                 x: [last_row - first_row, size]
///     dequantize(cache, first_row, last_row, out, out_stride)
///     scores(cache, queries, query, first_row, last_row, out)           out[t] = q . k_t
///     mix(cache, weights, first_row, last_row, out)                     out[i] = sum_t weights[t] v_t[i]
///
/// Queries are of QuantizeActivations with 8 bits and the cache's group; scores come from sums of integers:
///
///     q . k = sum_g step_g scale_g (sum_i q_i code_i - zero_g sum_i q_i)
///
/// Shapes    out of scores and weights: [last_row - first_row]; out of mix: [size], overwritten. Rows may be shared out to
///           threads, and then what mix gives is to be added up.
/// Accuracy  Sums of a group are exact. |scores - q . k| <= (G + 3) 2^-24 sum_g |step_g scale_g sum_i q_i (code_i - zero)|, beside the
///           error of q's integers; |mix - sum| <= (T + 2) 2^-24 sum_t |weights[t] v_t[i]|, in the order of rows. The same bits on every path.
/// Values    A group with a value that is not finite, or a range that is not, decodes to NaN.
template <class Arch>
struct Kv4;

}  // namespace basin::kernels
