#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/gguf_blocks.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace basin {
/// A Q2_K block by its fields.
///
///     x[i] = scale * steps[i / 16] * codes[i] - offset * lows[i / 16]
struct Q2KBlock {
  std::array<std::uint8_t, 256> codes{};  ///< 0 to 3
  std::array<std::uint8_t, 16> steps{};   ///< 0 to 15
  std::array<std::uint8_t, 16> lows{};    ///< 0 to 15
  std::uint16_t scale = 0;                ///< fp16 bits: ggml's d
  std::uint16_t offset = 0;               ///< fp16 bits: ggml's dmin
};

/// 84 bytes, laid out as gguf_blocks::decode_q2_k says. Bits beyond a field's width are dropped.
inline void store_q2_k(const Q2KBlock& block, std::byte* to) noexcept {
  for (std::size_t group = 0; group < 16; ++group)
    to[group] = static_cast<std::byte>((block.steps[group] & 15) | (block.lows[group] & 15) << 4);
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t first = i / 32 * 128 + i % 32;
    int byte = 0;
    for (std::size_t pair = 0; pair < 4; ++pair) byte |= (block.codes[first + 32 * pair] & 3) << (2 * pair);
    to[16 + i] = static_cast<std::byte>(byte);
  }
  store_little_endian(block.scale, to + 80);
  store_little_endian(block.offset, to + 82);
}

/// The inverse of store_q2_k. Every 84 bytes are a block.
[[nodiscard]] inline Q2KBlock load_q2_k(const std::byte* from) noexcept {
  Q2KBlock block;
  for (std::size_t group = 0; group < 16; ++group) {
    block.steps[group] = std::to_integer<std::uint8_t>(from[group] & std::byte{15});
    block.lows[group] = std::to_integer<std::uint8_t>(from[group] >> 4);
  }
  for (std::size_t i = 0; i < 256; ++i)
    block.codes[i] =
        std::to_integer<std::uint8_t>(from[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & std::byte{3});
  block.scale = load_little_endian<std::uint16_t>(from + 80);
  block.offset = load_little_endian<std::uint16_t>(from + 82);
  return block;
}

/// A matrix of mirror no-zero levels: weight (r, i) is scales[r] * (codes[r n_in + i] - 1.5).
struct NoZeroRows {
  std::int64_t n_in = 0;
  std::span<const std::uint8_t> codes;  ///< [rows, n_in], 0 to 3
  std::span<const float> scales;        ///< [rows]; from fp16 bits by half_to_float
};

/// The nearest scale whose half fp16 holds, ties to even; infinite from 131040 on. From 2^-13 on every
/// fp16 value is one, and below them the multiples of 2^-23. Round scales so before searching codes.
[[nodiscard]] constexpr float round_no_zero_scale(float scale) noexcept { return 2 * round_to_half(scale / 2); }

/// Whether blocks can hold the levels of this scale exactly.
[[nodiscard]] constexpr bool is_no_zero_scale(float scale) noexcept {
  return is_finite_half(float_to_half(scale / 2)) && round_no_zero_scale(scale) == scale;
}

namespace gguf_blocks {
/// Encoders of one block of no-zero levels: `block_size` codes and the fp16 bits of half their scale.
using LevelEncoder = void (*)(const std::uint8_t* codes, std::uint16_t half_scale, std::byte* block);

/// Step 2 and low 3 in every group: d 2 q - d 3 = 2 d (q - 1.5).
inline void encode_q2_k_levels(const std::uint8_t* codes, std::uint16_t half_scale, std::byte* block) noexcept {
  Q2KBlock fields;
  for (std::size_t i = 0; i < 256; ++i) fields.codes[i] = codes[i];
  fields.steps.fill(2);
  fields.lows.fill(3);
  fields.scale = fields.offset = half_scale;
  store_q2_k(fields, block);
}

/// (2 q + 5 - 8) d = 2 d (q - 1.5).
inline void encode_q4_0_levels(const std::uint8_t* codes, std::uint16_t half_scale, std::byte* block) noexcept {
  store_little_endian(half_scale, block);
  for (int j = 0; j < 16; ++j)
    block[2 + j] = static_cast<std::byte>((2 * codes[j] + 5) | (2 * codes[j + 16] + 5) << 4);
}

/// (2 q - 3) d = 2 d (q - 1.5).
inline void encode_q8_0_levels(const std::uint8_t* codes, std::uint16_t half_scale, std::byte* block) noexcept {
  store_little_endian(half_scale, block);
  for (int j = 0; j < 32; ++j) store_little_endian(static_cast<std::int8_t>(2 * codes[j] - 3), block + 2 + j);
}

/// Null when the type cannot hold the levels exactly, or basin has no encoder for it.
[[nodiscard]] constexpr LevelEncoder find_level_encoder(std::uint32_t type) noexcept {
  switch (static_cast<GgufType>(type)) {
    case GgufType::q2_k: return encode_q2_k_levels;
    case GgufType::q4_0: return encode_q4_0_levels;
    case GgufType::q8_0: return encode_q8_0_levels;
    default: return nullptr;
  }
}
}  // namespace gguf_blocks

/// Errors: shape_mismatch (sizes), bad_value (a code above 3, a scale that is not exact, with their row).
[[nodiscard]] inline Status check_levels(const NoZeroRows& rows) {
  const auto n_in = static_cast<std::size_t>(rows.n_in);
  if (rows.n_in <= 0 || rows.codes.size() % n_in != 0 || rows.codes.size() / n_in != rows.scales.size())
    return Error{ErrorCode::shape_mismatch, concat(rows.codes.size(), " codes in rows of ", rows.n_in,
                                                   " do not match ", rows.scales.size(), " scales")};
  for (std::size_t i = 0; i < rows.codes.size(); ++i)
    if (rows.codes[i] > 3)
      return Error{ErrorCode::bad_value, concat("code ", static_cast<int>(rows.codes[i]), " at row ", i / n_in,
                                                ", column ", i % n_in, "; codes are 0 to 3")};
  for (std::size_t r = 0; r < rows.scales.size(); ++r)
    if (!is_no_zero_scale(rows.scales[r]))
      return Error{ErrorCode::bad_value, concat("half of scale ", rows.scales[r], " of row ", r,
                                                " is no fp16 number; round it by round_no_zero_scale")};
  return Done{};
}

/// No-zero levels as blocks that decode to them: Q2_K in 2.625 bits a weight, where 256 divides n_in;
/// Q4_0 in 4.5 and Q8_0 in 8.5 where 32 does.
///
/// Shapes    out: codes.size() / block_size blocks.
/// Accuracy  exact: decoded values equal scales[r] * (q - 1.5) in float, where is_no_zero_scale. A scale
///           of 0 gives 0, of either sign.
/// Errors: unsupported (type), shape_mismatch (n_in or sizes), and those of check_levels.
/// Source    Q2_K: ggml. Mirror no-zero: arXiv:2606.02823.
[[nodiscard]] inline Status pack_levels(GgufType type, const NoZeroRows& rows, std::span<std::byte> out) {
  const auto id = static_cast<std::uint32_t>(type);
  const gguf_blocks::LevelEncoder encode = gguf_blocks::find_level_encoder(id);
  const GgufTypeInfo* const info = find_gguf_type(id);
  if (encode == nullptr)
    return Error{ErrorCode::unsupported, concat("no-zero levels cannot be packed as ",
                                                info ? info->name : "a type unknown", "; choose Q2_K, Q4_0 or Q8_0")};
  if (const Status valid = check_levels(rows); !valid) return valid;
  if (rows.n_in % info->block_size != 0)
    return Error{ErrorCode::shape_mismatch,
                 concat("rows of ", rows.n_in, " weights are not whole ", info->name, " blocks of ", info->block_size,
                        "; choose ", rows.n_in % 32 == 0 ? "Q4_0, Q8_0 or F16" : "F16", " for this tensor")};
  const auto n_in = static_cast<std::size_t>(rows.n_in);
  const auto block_size = static_cast<std::size_t>(info->block_size);
  const auto block_bytes = static_cast<std::size_t>(info->block_bytes);
  if (out.size() != rows.codes.size() / block_size * block_bytes)
    return Error{ErrorCode::shape_mismatch,
                 concat(rows.codes.size(), " codes of ", info->name, " do not fill ", out.size(), " bytes")};
  for (std::size_t begin = 0; begin < rows.codes.size(); begin += block_size)
    encode(rows.codes.data() + begin, float_to_half(rows.scales[begin / n_in] / 2),
           out.data() + begin / block_size * block_bytes);
  return Done{};
}

/// The same as new bytes of Q2_K.
[[nodiscard]] inline Expected<std::vector<std::byte>> pack_q2_k_levels(const NoZeroRows& rows) {
  std::vector<std::byte> out(rows.codes.size() / 256 * 84);
  if (const Status packed = pack_levels(GgufType::q2_k, rows, out); !packed) return packed.error();
  return out;
}

}  // namespace basin
