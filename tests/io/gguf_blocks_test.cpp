#include <basin/io/gguf_blocks.hpp>

#include <array>

#include "io/io_support.hpp"
#include "support/catch.hpp"

namespace blocks = basin::gguf_blocks;
using basin::float_to_half;
using basin::test::Bytes;
using basin::test::ByteWriter;

namespace {
template <std::size_t N>
std::array<float, N> decode(basin::GgufType type, const Bytes& block) {
  const auto id = static_cast<std::uint32_t>(type);
  REQUIRE(block.size() == static_cast<std::size_t>(basin::find_gguf_type(id)->block_bytes));
  REQUIRE(basin::find_gguf_type(id)->block_size == N);
  std::array<float, N> out{};
  blocks::find_decoder(id)(block.data(), out.data());
  return out;
}
}  // namespace

TEST_CASE("Q4_0 and Q4_1 put elements j and j + 16 into byte j", "[io][reference]") {
  ByteWriter q4_0, q4_1;
  q4_0.put(float_to_half(0.5f));
  q4_1.put(float_to_half(0.5f)).put(float_to_half(-3.0f));
  for (int j = 0; j < 16; ++j) {
    q4_0.put(static_cast<std::uint8_t>(j | (15 - j) << 4));
    q4_1.put(static_cast<std::uint8_t>(j | (15 - j) << 4));
  }
  const auto signed_out = decode<32>(basin::GgufType::q4_0, q4_0.bytes());
  const auto offset_out = decode<32>(basin::GgufType::q4_1, q4_1.bytes());
  for (int j = 0; j < 16; ++j) {
    const auto low = static_cast<std::size_t>(j), high = low + 16;
    CHECK(signed_out[low] == 0.5f * static_cast<float>(j - 8));
    CHECK(signed_out[high] == 0.5f * static_cast<float>(7 - j));
    CHECK(offset_out[low] == 0.5f * static_cast<float>(j) - 3);
    CHECK(offset_out[high] == 0.5f * static_cast<float>(15 - j) - 3);
  }
}

TEST_CASE("Q8_0 scales signed bytes", "[io][reference]") {
  ByteWriter block;
  block.put(float_to_half(-0.25f));
  for (int j = 0; j < 32; ++j) block.put(static_cast<std::int8_t>(j == 31 ? -128 : j * 4));
  const auto out = decode<32>(basin::GgufType::q8_0, block.bytes());
  for (std::size_t j = 0; j < 31; ++j) CHECK(out[j] == -static_cast<float>(j));
  CHECK(out[31] == 32.0f);
}

TEST_CASE("Plain types decode by their bits", "[io][reference]") {
  CHECK(decode<1>(basin::GgufType::f32, ByteWriter().put(-0.1f).bytes())[0] == -0.1f);
  CHECK(decode<1>(basin::GgufType::f16, ByteWriter().put<std::uint16_t>(0x3555).bytes())[0] == 0.333251953125f);
  CHECK(decode<1>(basin::GgufType::bf16, ByteWriter().put<std::uint16_t>(0xbf80).bytes())[0] == -1.0f);
}

// A second statement of Q2_K, in ggml's own terms: halves, then bit pairs, then groups of 16.
TEST_CASE("Q2_K decodes halves, bit pairs and groups of 16", "[io][reference]") {
  basin::SplitMix64 rng(5);
  ByteWriter block;
  std::array<std::uint8_t, 80> bytes{};
  for (std::uint8_t& byte : bytes) block.put(byte = static_cast<std::uint8_t>(rng.below(256)));
  block.put(float_to_half(0.5f)).put(float_to_half(0.25f));
  const auto out = decode<256>(basin::GgufType::q2_k, block.bytes());
  std::size_t at = 0, group = 0;
  for (std::size_t half = 0; half < 2; ++half)
    for (int shift = 0; shift < 8; shift += 2)
      for (std::size_t start = 0; start < 32; start += 16, ++group)
        for (std::size_t l = 0; l < 16; ++l, ++at) {
          const int code = bytes[16 + 32 * half + start + l] >> shift & 3;
          const int scale = bytes[group] & 15, low = bytes[group] >> 4;
          REQUIRE(out[at] == 0.5f * static_cast<float>(scale * code) - 0.25f * static_cast<float>(low));
        }
  CHECK((at == 256 && group == 16));
}

TEST_CASE("Q2_K holds the no-zero levels exactly", "[io][property]") {
  const float scale = 0.01953125f;
  ByteWriter block;
  for (int i = 0; i < 16; ++i) block.put<std::uint8_t>(0x32);
  for (int i = 0; i < 64; ++i) block.put<std::uint8_t>(0b11'10'01'00);
  block.put(float_to_half(scale / 2)).put(float_to_half(scale / 2));
  const auto out = decode<256>(basin::GgufType::q2_k, block.bytes());
  constexpr float levels[] = {-1.5f, -0.5f, 0.5f, 1.5f};
  for (std::size_t i = 0; i < 256; ++i) CHECK(out[i] == scale * levels[i % 128 / 32]);
}

TEST_CASE("Types without a decoder are known by size only", "[io][bad-input]") {
  CHECK(blocks::find_decoder(12) == nullptr);  // Q4_K
  CHECK(basin::find_gguf_type(12)->block_bytes == 144);
  CHECK(basin::find_gguf_type(4) == nullptr);  // a removed type
  CHECK(basin::find_gguf_type(~0u) == nullptr);
}
