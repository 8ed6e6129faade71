#include <basin/io/q2_k.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::GgufType;
using basin::half_to_float;
using basin::test::Bytes;
using basin::test::ByteWriter;
using basin::test::contains_text;

namespace {
Bytes random_block(basin::SplitMix64& rng) {
  Bytes bytes(84);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.below(256));
  return bytes;
}
std::vector<std::uint8_t> random_codes(std::size_t count, basin::SplitMix64& rng) {
  std::vector<std::uint8_t> codes(count);
  for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(rng.below(4));
  return codes;
}
}  // namespace

TEST_CASE("A Q2_K block of fields is these bytes", "[io][golden]") {
  basin::Q2KBlock block;
  for (std::size_t i = 0; i < 16; ++i) {
    block.steps[i] = static_cast<std::uint8_t>(i);
    block.lows[i] = static_cast<std::uint8_t>(15 - i);
  }
  for (std::size_t i = 0; i < 256; ++i) block.codes[i] = static_cast<std::uint8_t>(i % 128 / 32 ^ i / 128);
  block.codes[33] = 3;  // bit pair 1 of byte 1
  block.scale = 0x3c00;
  block.offset = 0x1234;
  ByteWriter want;
  for (int i = 0; i < 16; ++i) want.put(static_cast<std::uint8_t>(i | (15 - i) << 4));
  for (int i = 0; i < 32; ++i) want.put<std::uint8_t>(i == 1 ? 0b11'10'11'00 : 0b11'10'01'00);
  for (int i = 0; i < 32; ++i) want.put<std::uint8_t>(0b10'11'00'01);
  want.put<std::uint16_t>(0x3c00).put<std::uint16_t>(0x1234);
  Bytes got(84);
  basin::store_q2_k(block, got.data());
  CHECK(got == want.bytes());
}

TEST_CASE("Every 84 bytes are the fields of a Q2_K block", "[io][property]") {
  basin::SplitMix64 rng(GENERATE(range(0u, 20u)));
  const Bytes bytes = random_block(rng);
  const basin::Q2KBlock block = basin::load_q2_k(bytes.data());
  Bytes again(84);
  basin::store_q2_k(block, again.data());
  CHECK(again == bytes);

  std::array<float, 256> decoded{};
  Bytes finite = bytes;
  finite[81] &= std::byte{0x3f};
  finite[83] &= std::byte{0x3f};
  basin::gguf_blocks::decode_q2_k(finite.data(), decoded.data());
  const float scale = half_to_float(basin::load_q2_k(finite.data()).scale);
  const float offset = half_to_float(basin::load_q2_k(finite.data()).offset);
  for (std::size_t i = 0; i < 256; ++i) {
    // 11, 4 and 2 bits: both products are exact in float, and one rounding is left.
    const float want = scale * static_cast<float>(block.steps[i / 16] * block.codes[i]) -
                       offset * static_cast<float>(block.lows[i / 16]);
    REQUIRE(decoded[i] == want);
  }
}

TEST_CASE("Every fp16 half scale holds its four levels exactly", "[io][reference]") {
  const GgufType type = GENERATE(GgufType::q2_k, GgufType::q4_0, GgufType::q8_0);
  const auto id = static_cast<std::uint32_t>(type);
  const auto* const info = basin::find_gguf_type(id);
  CAPTURE(info->name);
  basin::SplitMix64 rng(7);
  const auto n_in = static_cast<std::size_t>(info->block_size);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if (!basin::is_finite_half(static_cast<std::uint16_t>(bits))) continue;
    const float scale = 2 * half_to_float(static_cast<std::uint16_t>(bits));
    const std::vector<std::uint8_t> codes = random_codes(n_in, rng);
    Bytes packed(static_cast<std::size_t>(info->block_bytes));
    REQUIRE(basin::pack_levels(type, {info->block_size, codes, std::span(&scale, 1)}, packed));
    std::array<float, 256> decoded{};
    basin::gguf_blocks::find_decoder(id)(packed.data(), decoded.data());
    for (std::size_t i = 0; i < n_in; ++i)
      if (decoded[i] != scale * (static_cast<float>(codes[i]) - 1.5f)) FAIL("scale " << scale << ", element " << i);
  }
}

TEST_CASE("pack_levels puts every row under its own scale", "[io][reference]") {
  const GgufType type = GENERATE(GgufType::q2_k, GgufType::q4_0, GgufType::q8_0);
  const auto id = static_cast<std::uint32_t>(type);
  const auto* const info = basin::find_gguf_type(id);
  const auto block_size = static_cast<std::size_t>(info->block_size);
  const auto block_bytes = static_cast<std::size_t>(info->block_bytes);
  const std::size_t n_in = block_size * 3;
  basin::SplitMix64 rng(8);
  const std::vector<float> scales{1, -0.25f, 0, 3};
  const auto codes = random_codes(scales.size() * n_in, rng);
  const basin::NoZeroRows rows{static_cast<std::int64_t>(n_in), codes, scales};
  Bytes packed(codes.size() / block_size * block_bytes);
  REQUIRE(basin::pack_levels(type, rows, packed));
  if (type == GgufType::q2_k) CHECK(*basin::pack_q2_k_levels(rows) == packed);
  std::vector<float> decoded(codes.size());
  for (std::size_t i = 0; i < codes.size() / block_size; ++i)
    basin::gguf_blocks::find_decoder(id)(packed.data() + i * block_bytes, decoded.data() + i * block_size);
  for (std::size_t i = 0; i < codes.size(); ++i)
    REQUIRE(decoded[i] == scales[i / n_in] * (static_cast<float>(codes[i]) - 1.5f));
}

TEST_CASE("round_no_zero_scale gives the nearest scale whose half is in fp16", "[io][reference]") {
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float half = half_to_float(static_cast<std::uint16_t>(bits));
    REQUIRE(basin::is_no_zero_scale(2 * half));
    REQUIRE(basin::is_no_zero_scale(half) == (half >= 0x1p-13f || std::fmod(half, 0x1p-23f) == 0));
    if (bits + 1 == 0x7c00) break;
    const float next = half_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = half + next;  // of the scales 2 half and 2 next
    REQUIRE(basin::round_no_zero_scale(middle) == 2 * (bits % 2 == 0 ? half : next));
    REQUIRE(basin::round_no_zero_scale(-std::nextafter(middle, 0.0f)) == -2 * half);
    REQUIRE(basin::round_no_zero_scale(std::nextafter(middle, 1e6f)) == 2 * next);
    REQUIRE_FALSE(basin::is_no_zero_scale(middle));
  }
  CHECK(basin::is_no_zero_scale(131008.0f));
  CHECK(std::isinf(basin::round_no_zero_scale(131040.0f)));
  for (const float bad : {131040.0f, NAN, std::numeric_limits<float>::infinity(), 1e-44f, 0.1f})
    CHECK_FALSE(basin::is_no_zero_scale(bad));
}

TEST_CASE("pack_levels names the shape, the code or the scale that it cannot hold", "[io][bad-input]") {
  std::vector<std::uint8_t> codes(2 * 256, 1);
  std::vector<float> scales{1, 2};
  const auto problem = [&](std::int64_t n_in, GgufType type = GgufType::q2_k, std::size_t size = 168) {
    Bytes out(size);
    const auto packed = basin::pack_levels(type, {n_in, codes, scales}, out);
    return packed ? std::string("no error") : packed.error().message;
  };
  CHECK(problem(256) == "no error");
  CHECK_THAT(problem(0), contains_text("512 codes in rows of 0 do not match 2 scales"));
  CHECK_THAT(problem(-256), contains_text("rows of -256"));
  CHECK_THAT(problem(512), contains_text("rows of 512 do not match 2 scales"));
  CHECK_THAT(problem(255), contains_text("do not match"));
  CHECK_THAT(problem(256, GgufType::q2_k, 167), contains_text("512 codes of Q2_K do not fill 167 bytes"));
  CHECK_THAT(problem(256, GgufType::f16), contains_text("cannot be packed as F16; choose Q2_K, Q4_0 or Q8_0"));
  CHECK(basin::pack_levels(GgufType{999}, {256, codes, scales}, {}).error().code == ErrorCode::unsupported);
  codes.resize(2 * 96);
  CHECK_THAT(problem(96), contains_text("rows of 96 weights are not whole Q2_K blocks of 256; choose Q4_0, Q8_0 or F16"));
  CHECK(problem(96, GgufType::q4_0, 6 * 18) == "no error");
  codes.resize(2 * 100);
  CHECK_THAT(problem(100, GgufType::q8_0), contains_text("not whole Q8_0 blocks of 32; choose F16"));
  CHECK_FALSE(basin::pack_q2_k_levels({100, codes, scales}).has_value());

  codes.assign(2 * 256, 3);
  codes[300] = 4;
  CHECK_THAT(problem(256), contains_text("code 4 at row 1, column 44"));
  codes[300] = 0;
  for (const float bad : {0.1f, NAN, 1e6f, std::numeric_limits<float>::infinity()}) {
    scales[1] = bad;
    CHECK_THAT(problem(256), contains_text("of row 1 is no fp16 number; round it by round_no_zero_scale"));
  }
  scales[1] = basin::round_no_zero_scale(0.1f);
  CHECK(problem(256) == "no error");
}
