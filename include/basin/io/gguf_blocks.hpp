#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace basin {
/// Tensor types that basin decodes, with GGUF's numbers. A file may hold others.
enum class GgufType : std::uint32_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q8_0 = 8, q2_k = 10, bf16 = 30
};

/// How a tensor type is stored: `block_bytes` bytes hold `block_size` consecutive elements.
struct GgufTypeInfo {
  std::uint32_t id;
  std::string_view name;
  int block_size;
  int block_bytes;
};

/// Every type with a fixed block size in GGUF as of version 3. Longer than GgufType, so that a
/// file with a tensor that basin cannot decode can still be checked and listed.
inline constexpr std::array gguf_type_table = {
    GgufTypeInfo{0, "F32", 1, 4},         GgufTypeInfo{1, "F16", 1, 2},
    GgufTypeInfo{2, "Q4_0", 32, 18},      GgufTypeInfo{3, "Q4_1", 32, 20},
    GgufTypeInfo{6, "Q5_0", 32, 22},      GgufTypeInfo{7, "Q5_1", 32, 24},
    GgufTypeInfo{8, "Q8_0", 32, 34},      GgufTypeInfo{9, "Q8_1", 32, 36},
    GgufTypeInfo{10, "Q2_K", 256, 84},    GgufTypeInfo{11, "Q3_K", 256, 110},
    GgufTypeInfo{12, "Q4_K", 256, 144},   GgufTypeInfo{13, "Q5_K", 256, 176},
    GgufTypeInfo{14, "Q6_K", 256, 210},   GgufTypeInfo{15, "Q8_K", 256, 292},
    GgufTypeInfo{16, "IQ2_XXS", 256, 66}, GgufTypeInfo{17, "IQ2_XS", 256, 74},
    GgufTypeInfo{18, "IQ3_XXS", 256, 98}, GgufTypeInfo{19, "IQ1_S", 256, 50},
    GgufTypeInfo{20, "IQ4_NL", 32, 18},   GgufTypeInfo{21, "IQ3_S", 256, 110},
    GgufTypeInfo{22, "IQ2_S", 256, 82},   GgufTypeInfo{23, "IQ4_XS", 256, 136},
    GgufTypeInfo{24, "I8", 1, 1},         GgufTypeInfo{25, "I16", 1, 2},
    GgufTypeInfo{26, "I32", 1, 4},        GgufTypeInfo{27, "I64", 1, 8},
    GgufTypeInfo{28, "F64", 1, 8},        GgufTypeInfo{29, "IQ1_M", 256, 56},
    GgufTypeInfo{30, "BF16", 1, 2},       GgufTypeInfo{34, "TQ1_0", 256, 54},
    GgufTypeInfo{35, "TQ2_0", 256, 66},   GgufTypeInfo{39, "MXFP4", 32, 17},
};

/// Null when the number is not in the table.
[[nodiscard]] constexpr const GgufTypeInfo* find_gguf_type(std::uint32_t id) noexcept {
  for (const GgufTypeInfo& info : gguf_type_table)
    if (info.id == id) return &info;
  return nullptr;
}

/// Bytes of a tensor, or why there can be none.
///
/// @param info   null for a type whose blocks are unknown: only the shape is checked, and the size is 0.
/// @param shape  outermost first. Errors number dimensions as GGUF does, from the innermost.
/// Errors: bad_value (more than 4 dimensions, one below 1, rows of partial blocks), too_large.
[[nodiscard]] inline Expected<std::uint64_t> gguf_tensor_bytes(const GgufTypeInfo* info,
                                                               std::span<const std::int64_t> shape) {
  if (shape.size() > 4)
    return Error{ErrorCode::bad_value, concat(shape.size(), " dimensions; at most 4 are allowed")};
  std::int64_t count = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t extent = shape[shape.size() - 1 - i];
    if (extent <= 0) return Error{ErrorCode::bad_value, concat("dimension ", i, " is ", extent)};
    if (extent > INT64_MAX / count) return Error{ErrorCode::too_large, "its size overflows 64 bits"};
    count *= extent;
  }
  if (info == nullptr) return 0;
  const std::int64_t row = shape.empty() ? 1 : shape.back();
  if (row % info->block_size != 0)
    return Error{ErrorCode::bad_value, concat("rows of ", row, " elements are not whole ", info->name,
                                              " blocks of ", info->block_size)};
  const std::int64_t blocks = count / info->block_size;
  if (blocks > INT64_MAX / info->block_bytes)
    return Error{ErrorCode::too_large, "its size overflows 64 bits"};
  return static_cast<std::uint64_t>(blocks) * static_cast<std::uint64_t>(info->block_bytes);
}

/// Decoders of one block: `block_bytes` bytes in, `block_size` floats out. The products are
/// rounded once, to float.
namespace gguf_blocks {

/// f16 d, 16 bytes: byte j holds element j in its low nibble, j + 16 in its high; (q - 8) d.
inline void decode_q4_0(const std::byte* block, float* out) noexcept {
  const float scale = half_to_float(load_little_endian<std::uint16_t>(block));
  for (int j = 0; j < 16; ++j) {
    const int pair = std::to_integer<int>(block[2 + j]);
    out[j] = static_cast<float>((pair & 15) - 8) * scale;
    out[j + 16] = static_cast<float>((pair >> 4) - 8) * scale;
  }
}

/// f16 d, f16 m, 16 bytes in the nibble order of Q4_0; q d + m.
inline void decode_q4_1(const std::byte* block, float* out) noexcept {
  const float scale = half_to_float(load_little_endian<std::uint16_t>(block));
  const float low = half_to_float(load_little_endian<std::uint16_t>(block + 2));
  for (int j = 0; j < 16; ++j) {
    const int pair = std::to_integer<int>(block[4 + j]);
    out[j] = static_cast<float>(pair & 15) * scale + low;
    out[j + 16] = static_cast<float>(pair >> 4) * scale + low;
  }
}

/// f16 d, 32 signed bytes; q d.
inline void decode_q8_0(const std::byte* block, float* out) noexcept {
  const float scale = half_to_float(load_little_endian<std::uint16_t>(block));
  for (int j = 0; j < 32; ++j)
    out[j] = static_cast<float>(load_little_endian<std::int8_t>(block + 2 + j)) * scale;
}

/// 16 bytes (low nibble scale, high nibble minimum), 64 bytes of 2-bit codes, f16 d, f16 dmin.
/// Each half of 128 elements has 32 code bytes; bit pair s of byte l is element 32 s + l of the
/// half; every 16 elements share a scale byte; d sc q - dmin mn.
inline void decode_q2_k(const std::byte* block, float* out) noexcept {
  const float scale = half_to_float(load_little_endian<std::uint16_t>(block + 80));
  const float low = half_to_float(load_little_endian<std::uint16_t>(block + 82));
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, pair = i % 128 / 32, byte = i % 32;
    const int both = std::to_integer<int>(block[i / 16]);
    const int code = std::to_integer<int>(block[16 + 32 * half + byte]) >> (2 * pair) & 3;
    const float step = scale * static_cast<float>(both & 15);
    const float offset = low * static_cast<float>(both >> 4);
    out[i] = step * static_cast<float>(code) - offset;
  }
}

inline void decode_f32(const std::byte* block, float* out) noexcept {
  *out = load_little_endian<float>(block);
}
inline void decode_f16(const std::byte* block, float* out) noexcept {
  *out = half_to_float(load_little_endian<std::uint16_t>(block));
}
inline void decode_bf16(const std::byte* block, float* out) noexcept {
  *out = bfloat16_to_float(load_little_endian<std::uint16_t>(block));
}

using Decoder = void (*)(const std::byte* block, float* out);

/// Null when basin has no decoder for the type.
[[nodiscard]] constexpr Decoder find_decoder(std::uint32_t type) noexcept {
  switch (static_cast<GgufType>(type)) {
    case GgufType::f32: return decode_f32;
    case GgufType::f16: return decode_f16;
    case GgufType::bf16: return decode_bf16;
    case GgufType::q4_0: return decode_q4_0;
    case GgufType::q4_1: return decode_q4_1;
    case GgufType::q8_0: return decode_q8_0;
    case GgufType::q2_k: return decode_q2_k;
  }
  return nullptr;
}

}  // namespace gguf_blocks
}  // namespace basin
