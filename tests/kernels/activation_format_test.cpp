#include <basin/kernels/activation_format.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <cstring>

#include "support/catch.hpp"

using basin::kernels::ActivationFormat;
using basin::kernels::FormatError;

TEST_CASE("A format of activations says what is wrong with it", "[kernels][bad-input]") {
  const auto error = [](int bits, float clip, std::ptrdiff_t group) { return check(ActivationFormat{bits, clip, group}); };
  CHECK(error(8, 1, 0) == FormatError::none);
  CHECK(error(4, 0.9f, 128) == FormatError::none);
  for (const int bits : {0, 2, 5, 16, -4}) CHECK(error(bits, 1, 0) == FormatError::bad_bits);
  for (const float clip : {0.0f, -1.0f, 1.5f, NAN, INFINITY}) CHECK(error(8, clip, 0) == FormatError::bad_clip);
  for (const std::ptrdiff_t group : {-16, 1, 8, 100}) CHECK(error(8, 1, group) == FormatError::bad_group);
  for (int e = 0; e <= static_cast<int>(FormatError::bad_group); ++e)
    CHECK(std::strcmp(describe(static_cast<FormatError>(e)), "unknown error") != 0);
}

TEST_CASE("A workspace holds tokens, steps and sums one after the other", "[kernels][property]") {
  const ActivationFormat format{8, 1, 48};
  alignas(64) std::byte memory[1024];
  const auto at = quantized_activations(format, 100, 3, memory);
  CHECK(at.row_bytes == 128);
  CHECK(at.groups == 3);
  CHECK(reinterpret_cast<std::byte*>(at.steps) == memory + 3 * 128);
  CHECK(reinterpret_cast<std::byte*>(at.sums + 9) == memory + activation_bytes(format, 100, 3));
}
