#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/gguf_blocks.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace basin {
/// Encoders of one block: `block_size` floats in, `block_bytes` bytes out. False where the type cannot
/// hold a value: it is not finite, or it or the block's scale is beyond fp16.
namespace gguf_blocks {

/// Any value, NaN and infinities too.
[[nodiscard]] inline bool encode_f32(const float* values, std::byte* block) noexcept {
  store_little_endian(*values, block);
  return true;
}

/// To nearest, ties to even.
[[nodiscard]] inline bool encode_f16(const float* values, std::byte* block) noexcept {
  const std::uint16_t bits = float_to_half(*values);
  store_little_endian(bits, block);
  return is_finite_half(bits);
}

/// d = max |x| / 127 rounded to fp16, q = x / d rounded with ties away from zero, d in float: the bytes
/// of ggml's own encoder.
[[nodiscard]] inline bool encode_q8_0(const float* values, std::byte* block) noexcept {
  float largest = 0;
  bool finite = true;
  for (int j = 0; j < 32; ++j) {
    finite = finite && std::isfinite(values[j]);
    largest = std::max(largest, std::abs(values[j]));
  }
  const float scale = largest / 127;
  const std::uint16_t bits = float_to_half(scale);
  if (!finite || !is_finite_half(bits)) return false;
  // The inverse of a subnormal may be infinite; its scale is 0 in fp16, so that any codes decode to 0.
  const float inverse = scale > 0 && std::isfinite(1 / scale) ? 1 / scale : 0.0f;
  store_little_endian(bits, block);
  for (int j = 0; j < 32; ++j)
    store_little_endian(static_cast<std::int8_t>(std::round(values[j] * inverse)), block + 2 + j);
  return true;
}

using Encoder = bool (*)(const float* values, std::byte* block);

/// Null when basin has no encoder for the type.
[[nodiscard]] constexpr Encoder find_encoder(std::uint32_t type) noexcept {
  switch (static_cast<GgufType>(type)) {
    case GgufType::f32: return encode_f32;
    case GgufType::f16: return encode_f16;
    case GgufType::q8_0: return encode_q8_0;
    default: return nullptr;
  }
}

}  // namespace gguf_blocks

/// Floats to the blocks of a type.
///
/// Shapes    values: whole blocks;  out: their bytes.
/// Accuracy  F32 exact; F16 to nearest, ties to even; Q8_0 within max |x| / 225 where that block's
///           scale is a normal number of fp16: half a step of max |x| / 127, and 127 times 2^-11 of it.
/// Errors: unsupported (no encoder), shape_mismatch, bad_value (a value that the type cannot hold, with
/// its block's range).
[[nodiscard]] inline Status gguf_encode(GgufType type, std::span<const float> values, std::span<std::byte> out) {
  const auto id = static_cast<std::uint32_t>(type);
  const gguf_blocks::Encoder encode = gguf_blocks::find_encoder(id);
  const GgufTypeInfo* const info = find_gguf_type(id);
  if (encode == nullptr)
    return Error{ErrorCode::unsupported, concat("floats cannot be encoded as ", info ? info->name : "a type unknown",
                                                "; choose F32, F16 or Q8_0")};
  const auto block_size = static_cast<std::size_t>(info->block_size);
  const auto block_bytes = static_cast<std::size_t>(info->block_bytes);
  const std::size_t num_blocks = values.size() / block_size;
  if (values.size() % block_size != 0 || out.size() != num_blocks * block_bytes)
    return Error{ErrorCode::shape_mismatch, concat(values.size(), " values of ", info->name, " do not fill ",
                                                   out.size(), " bytes in blocks of ", block_size)};
  for (std::size_t i = 0; i < num_blocks; ++i)
    if (!encode(values.data() + i * block_size, out.data() + i * block_bytes))
      return Error{ErrorCode::bad_value,
                   concat("a value from ", i * block_size, " to ", (i + 1) * block_size - 1,
                          " is not finite or too large for ", info->name)};
  return Done{};
}

}  // namespace basin
