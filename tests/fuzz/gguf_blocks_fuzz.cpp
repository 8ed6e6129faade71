// Any bytes as blocks of every type that is decoded, any floats and codes as what is encoded.
#include <basin/io/gguf_encode.hpp>
#include <basin/io/q2_k.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  const auto from = [](const basin::test::Bytes& file, std::size_t size) { return basin::test::Bytes(file.end() - static_cast<std::ptrdiff_t>(size), file.end()); };
  return {from(basin::test::small_gguf(), 4 * 34), from(basin::test::small_q2_k_gguf(), 2 * 84), basin::test::Bytes(4 * 256, std::byte{0x3c})};
}

namespace {
using Bytes = basin::test::Bytes;

/// Whole blocks from exactly their bytes to exactly their values.
std::vector<float> decode(const basin::GgufTypeInfo& info, std::span<const std::byte> bytes) {
  const auto block_size = static_cast<std::size_t>(info.block_size), block_bytes = static_cast<std::size_t>(info.block_bytes);
  const std::size_t blocks = bytes.size() / block_bytes;
  const basin::test::ExactBytes exact(bytes.first(blocks * block_bytes));
  std::vector<float> values(blocks * block_size);
  for (std::size_t i = 0; i < blocks; ++i)
    basin::gguf_blocks::find_decoder(info.id)(exact.bytes().data() + i * block_bytes, values.data() + i * block_size);
  return values;
}

void check_floats(basin::GgufType type, std::span<const float> values) {
  const basin::GgufTypeInfo& info = *basin::find_gguf_type(static_cast<std::uint32_t>(type));
  const std::size_t blocks = values.size() / static_cast<std::size_t>(info.block_size);
  if (blocks == 0) return;
  values = values.first(blocks * static_cast<std::size_t>(info.block_size));
  Bytes bytes(blocks * static_cast<std::size_t>(info.block_bytes));
  const basin::Status encoded = basin::gguf_encode(type, values, bytes);
  if (!encoded) {
    // Only what the type cannot hold is refused.
    if (type == basin::GgufType::f32 || std::ranges::all_of(values, [](float x) { return std::abs(x) < 65504; })) std::abort();
    return;
  }
  const std::vector<float> decoded = decode(info, bytes);
  if (type != basin::GgufType::f32 && !std::ranges::all_of(decoded, [](float x) { return std::isfinite(x); })) std::abort();
  if (type == basin::GgufType::f32 && std::memcmp(decoded.data(), values.data(), 4 * values.size()) != 0) std::abort();
}

/// Levels decode to exactly scale (code - 1.5), or are refused.
void check_levels(std::span<const std::byte> data) {
  constexpr std::size_t n_in = 256;
  const float scale = basin::half_to_float(basin::load_little_endian<std::uint16_t>(data.data()));
  std::vector<std::uint8_t> codes(n_in);
  bool valid = basin::is_no_zero_scale(scale);
  for (std::size_t i = 0; i < n_in; ++i) {
    codes[i] = std::to_integer<std::uint8_t>(data[2 + i % (data.size() - 2)]) & (data[1] == std::byte{0x7f} ? 7 : 3);
    valid = valid && codes[i] < 4;
  }
  for (const basin::GgufType type : {basin::GgufType::q2_k, basin::GgufType::q4_0, basin::GgufType::q8_0}) {
    const basin::GgufTypeInfo& info = *basin::find_gguf_type(static_cast<std::uint32_t>(type));
    Bytes bytes(n_in / static_cast<std::size_t>(info.block_size) * static_cast<std::size_t>(info.block_bytes));
    if (basin::pack_levels(type, {n_in, codes, {&scale, 1}}, bytes).has_value() != valid) std::abort();
    if (!valid) continue;
    const std::vector<float> decoded = decode(info, bytes);
    for (std::size_t i = 0; i < n_in; ++i)
      if (decoded[i] != scale * (static_cast<float>(codes[i]) - 1.5f)) std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const basin::GgufTypeInfo& info : basin::gguf_type_table)
    if (basin::gguf_blocks::find_decoder(info.id) != nullptr) static_cast<void>(decode(info, bytes));
  for (std::size_t at = 0; at + 84 <= size; at += 84) {
    std::byte again[84];
    basin::store_q2_k(basin::load_q2_k(bytes.data() + at), again);
    if (std::memcmp(again, data + at, 84) != 0) std::abort();
  }
  std::vector<float> values(size / 4);
  std::memcpy(values.data(), data, 4 * values.size());
  for (const basin::GgufType type : {basin::GgufType::f32, basin::GgufType::f16, basin::GgufType::q8_0}) check_floats(type, values);
  check_levels(bytes);
  return 0;
}
