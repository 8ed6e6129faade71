#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels {
/// How activations become integers.
///
///     step = clip * max|x| / L,   q = clamp(round(x / step), -L - 1, L),   L = 127 (8 bits) or 7 (4 bits)
///
/// One step for a token, or for every `group` neighbouring inputs of it, the last group being what is left.
/// Rounding is to even. Zeros have step 1.
///
/// Source    QuaRot, arXiv:2404.00456, with clip 0.9 at 4 bits.
struct ActivationFormat {
  int bits = 8;              ///< 8 or 4
  float clip = 1;            ///< above 0, at most 1
  std::ptrdiff_t group = 0;  ///< a multiple of 16 inputs; 0: the whole token

  friend constexpr bool operator==(const ActivationFormat&, const ActivationFormat&) noexcept = default;
};

/// What is wrong with a format of activations or of a KV cache.
enum class FormatError : std::uint8_t { none, bad_bits, bad_clip, bad_group };

[[nodiscard]] constexpr const char* describe(FormatError error) noexcept {
  switch (error) {
    case FormatError::none: return "no error";
    case FormatError::bad_bits: return "activations have 4 or 8 bits";
    case FormatError::bad_clip: return "clip must be above 0 and at most 1";
    case FormatError::bad_group: return "a group of activations must be a multiple of 16 inputs, one of a KV cache a multiple of 32 that divides the size";
  }
  return "unknown error";
}

/// Whether kernels may be given this format: they do not look themselves.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr FormatError check(const ActivationFormat& format) noexcept {
  if (format.bits != 8 && format.bits != 4) return FormatError::bad_bits;
  if (!(format.clip > 0 && format.clip <= 1)) return FormatError::bad_clip;
  return format.group < 0 || format.group % 16 != 0 ? FormatError::bad_group : FormatError::none;
}

/// Quantized activations in the workspace of QuantizeActivations: tokens padded with zeros to 64 bytes, then the
/// steps, then the sums of every group's integers.
///
///     | int8 [batch][row_bytes] | steps fp32 [batch][groups] | sums int32 [batch][groups] |
struct QuantizedActivations {
  std::int8_t* values = nullptr;
  float* steps = nullptr;
  std::int32_t* sums = nullptr;
  std::ptrdiff_t row_bytes = 0;
  std::ptrdiff_t groups = 0;        ///< of a token
  std::ptrdiff_t group_inputs = 0;  ///< of every group but the last
};

namespace detail {
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t activation_row_bytes(std::ptrdiff_t n_in) noexcept { return (n_in + 63) / 64 * 64; }
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t activation_groups(const ActivationFormat& format, std::ptrdiff_t n_in) noexcept {
  return format.group == 0 ? 1 : (n_in + format.group - 1) / format.group;
}
}  // namespace detail

/// Bytes of workspace for `batch` tokens.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::size_t activation_bytes(const ActivationFormat& format, std::ptrdiff_t n_in,
                                                                         std::ptrdiff_t batch) noexcept {
  return static_cast<std::size_t>(batch * (detail::activation_row_bytes(n_in) + 8 * detail::activation_groups(format, n_in)));
}

/// Where the parts of a workspace lie.
[[nodiscard]] BASIN_ALWAYS_INLINE QuantizedActivations quantized_activations(const ActivationFormat& format, std::ptrdiff_t n_in,
                                                                             std::ptrdiff_t batch, void* workspace) noexcept {
  const std::ptrdiff_t row_bytes = detail::activation_row_bytes(n_in), groups = detail::activation_groups(format, n_in);
  auto* values = static_cast<std::int8_t*>(workspace);
  auto* steps = reinterpret_cast<float*>(values + batch * row_bytes);
  return {values, steps, reinterpret_cast<std::int32_t*>(steps + batch * groups), row_bytes, groups, format.group == 0 ? n_in : format.group};
}

}  // namespace basin::kernels
