#include <basin/io/gguf_encode.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::GgufType;
using basin::test::Bytes;
using basin::test::ByteWriter;
using basin::test::contains_text;

namespace {
constexpr float infinity = std::numeric_limits<float>::infinity();

Bytes encode(GgufType type, const std::vector<float>& values) {
  const auto* const info = basin::find_gguf_type(static_cast<std::uint32_t>(type));
  Bytes out(values.size() / static_cast<std::size_t>(info->block_size) * static_cast<std::size_t>(info->block_bytes));
  REQUIRE(basin::gguf_encode(type, values, out));
  return out;
}
std::vector<float> decode(GgufType type, const Bytes& bytes) {
  const auto id = static_cast<std::uint32_t>(type);
  const auto* const info = basin::find_gguf_type(id);
  const auto block_bytes = static_cast<std::size_t>(info->block_bytes);
  std::vector<float> out(bytes.size() / block_bytes * static_cast<std::size_t>(info->block_size));
  for (std::size_t i = 0; i < bytes.size() / block_bytes; ++i)
    basin::gguf_blocks::find_decoder(id)(bytes.data() + i * block_bytes,
                                         out.data() + i * static_cast<std::size_t>(info->block_size));
  return out;
}
}  // namespace

TEST_CASE("F16 rounds to nearest with ties to even, F32 keeps every bit", "[io][reference]") {
  const float ulp = 0x1p-10f;  // of fp16 from 1 to 2
  CHECK(encode(GgufType::f16, {1, 1 + ulp / 2, 1 + ulp * 3 / 2, -65519.0f, 0x1p-25f}) ==
        ByteWriter().put<std::uint16_t>(0x3c00).put<std::uint16_t>(0x3c00).put<std::uint16_t>(0x3c02)
            .put<std::uint16_t>(0xfbff).put<std::uint16_t>(0).bytes());
  const float nan = std::bit_cast<float>(0x7fc12345u);
  CHECK(encode(GgufType::f32, {nan, -0.0f}) ==
        ByteWriter().put<std::uint32_t>(0x7fc12345u).put<std::uint32_t>(0x80000000u).bytes());
}

TEST_CASE("Q8_0 divides by the largest magnitude over 127 and rounds ties away from zero", "[io][golden]") {
  std::vector<float> values(32);
  const float exact[] = {-127, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 126.49f, 0.49f};
  const int codes[] = {-127, 1, -1, 2, 3, -3, 126, 0};
  ByteWriter want;
  want.put<std::uint16_t>(0x3c00);
  for (std::size_t i = 0; i < 32; ++i) {
    values[i] = i < 8 ? exact[i] : 0;
    want.put(static_cast<std::int8_t>(i < 8 ? codes[i] : 0));
  }
  CHECK(encode(GgufType::q8_0, values) == want.bytes());
}

TEST_CASE("Q8_0 errs by at most the largest magnitude over 225", "[io][property]") {
  basin::SplitMix64 rng(GENERATE(range(0u, 20u)));
  std::vector<float> values(32 * 16);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::ldexp(static_cast<float>(rng.normal()), static_cast<int>(i / 32) - 6);
  const std::vector<float> got = decode(GgufType::q8_0, encode(GgufType::q8_0, values));
  for (std::size_t block = 0; block < 16; ++block) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::abs(values[block * 32 + i]));
    REQUIRE(largest / 127 >= 0x1p-14f);
    for (std::size_t i = block * 32; i < block * 32 + 32; ++i)
      REQUIRE(std::abs(got[i] - values[i]) <= largest / 225);
  }
}

TEST_CASE("Q8_0 of zeros and of the smallest floats is zero", "[io][property]") {
  for (const float value : {0.0f, -0.0f, 1e-44f, -1e-38f, 1e-9f})
    for (const float got : decode(GgufType::q8_0, encode(GgufType::q8_0, std::vector<float>(32, value)))) CHECK(got == 0);
}

TEST_CASE("gguf_encode refuses what a type cannot hold and says where", "[io][bad-input]") {
  const auto problem = [](GgufType type, std::size_t at, float value, std::size_t count = 64) {
    std::vector<float> values(count, 1.0f);
    values[at] = value;
    const auto* const info = basin::find_gguf_type(static_cast<std::uint32_t>(type));
    Bytes out(count / static_cast<std::size_t>(info->block_size) * static_cast<std::size_t>(info->block_bytes));
    const auto done = basin::gguf_encode(type, values, out);
    return done ? std::string("no error") : done.error().message;
  };
  for (const float value : {NAN, -NAN, infinity, -infinity}) {
    CHECK_THAT(problem(GgufType::f16, 40, value), contains_text("from 40 to 40") && contains_text("F16"));
    CHECK_THAT(problem(GgufType::q8_0, 40, value), contains_text("from 32 to 63") && contains_text("Q8_0"));
    CHECK(problem(GgufType::f32, 40, value) == "no error");
  }
  CHECK_THAT(problem(GgufType::f16, 0, 65520.0f), contains_text("too large for F16"));
  CHECK(problem(GgufType::f16, 0, 65519.9f) == "no error");
  CHECK_THAT(problem(GgufType::q8_0, 0, -65520.0f * 127), contains_text("too large for Q8_0"));
  CHECK(problem(GgufType::q8_0, 0, 65519.0f * 127) == "no error");
  CHECK_THAT(problem(GgufType::q8_0, 0, 1, 33), contains_text("33 values of Q8_0 do not fill 34 bytes"));

  std::array<std::byte, 3> three{};
  const std::array<float, 1> one{};
  CHECK(basin::gguf_encode(GgufType::f16, one, three).error().code == basin::ErrorCode::shape_mismatch);
  CHECK(basin::gguf_encode(GgufType::q2_k, one, three).error().code == basin::ErrorCode::unsupported);
  CHECK_THAT(basin::gguf_encode(GgufType::bf16, one, three).error().message,
             contains_text("as BF16; choose F32, F16 or Q8_0"));
}
