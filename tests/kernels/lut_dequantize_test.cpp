#include <basin/kernels/lut_dequantize.hpp>  // first: proves the header stands alone
#include <basin/kernels/dispatch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <tuple>
#include <vector>

#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"
#include "support/guarded.hpp"

using basin::PackedLayer;
using basin::Scheme;
using basin::kernels::bfloat16;
using basin::kernels::half;
using basin::kernels::KernelSet;
using basin::test::PackedRandomLayer;
using basin::test::reference_weight;
using Dequantize = basin::kernels::LutDequantize<basin::kernels::scalar>;

namespace {
std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

struct Tile {
  std::ptrdiff_t first_row, last_row, first_input, last_input;
};

template <class Out>
auto kernel(const KernelSet& set) {
  if constexpr (std::is_same_v<Out, float>) return set.dequantize_fp32;
  else if constexpr (std::is_same_v<Out, bfloat16>) return set.dequantize_bf16;
  else return set.dequantize_fp16;
}

/// A tile's bytes between guards, from an address that suits no vector.
template <class Out>
std::vector<unsigned char> decode(const KernelSet& set, const PackedLayer& layer, const Tile& tile) {
  const std::ptrdiff_t rows = tile.last_row - tile.first_row, inputs = tile.last_input - tile.first_input, stride = inputs + 3;
  const std::size_t size = index(rows * stride) * sizeof(Out);
  std::vector<Out> memory(index(rows * stride) + 1 + 64);
  std::memset(static_cast<void*>(memory.data()), 0x5b, memory.size() * sizeof(Out));
  kernel<Out>(set)(layer, tile.first_row, tile.last_row, tile.first_input, tile.last_input, memory.data() + 1, stride);
  std::vector<unsigned char> bytes(memory.size() * sizeof(Out));
  std::memcpy(bytes.data(), memory.data(), bytes.size());
  bool guarded = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool inside = i >= sizeof(Out) && i < sizeof(Out) + size && (i / sizeof(Out) - 1) % index(stride) < index(inputs);
    guarded &= inside || bytes[i] == 0x5b;
  }
  CHECK(guarded);
  return bytes;
}

template <class Out>
void check_paths(const PackedLayer& layer, const Tile& tile) {
  const KernelSet& plain = basin::kernels::available_kernels().front();
  const std::vector<unsigned char> want = decode<Out>(plain, layer, tile);
  for (const KernelSet& set : basin::test::tested_kernels()) {
    CAPTURE(set.arch, sizeof(Out), tile.first_row, tile.last_row, tile.first_input, tile.last_input);
    CHECK(decode<Out>(set, layer, tile) == want);
  }
}
}  // namespace

TEST_CASE("LutDequantize decodes what the codes stand for, for any scheme and shape", "[kernels][reference]") {
  const auto [codebooks, bits, g, g_out] =
      GENERATE(table<int, int, int, int>({{1, 1, 1, 1}, {2, 8, 8, 1}, {3, 5, 4, 1}, {8, 4, 16, 1}, {1, 12, 8, 1}, {2, 6, 8, 2}}));
  const std::ptrdiff_t n_in = GENERATE(1, 7, 8, 61);
  CAPTURE(codebooks, bits, g, g_out, n_in);
  const PackedRandomLayer random({codebooks, bits, g, g_out}, 6 * g_out, n_in, 3);
  const basin::AdditiveLayer& layer = random.stored;
  const std::vector<double> want = reference_weight(layer);
  const std::ptrdiff_t stride = n_in + 3;
  std::vector<float> got(static_cast<std::size_t>(layer.n_out * stride), -1.0f);
  Dequantize::run(random.packed, 0, layer.n_out, 0, n_in, got.data(), stride);
  // M additions and one product of values below 1.
  const double bound = (codebooks + 1) * codebooks * 0x1p-24;
  for (std::ptrdiff_t row = 0; row < layer.n_out; ++row) {
    for (std::ptrdiff_t i = 0; i < n_in; ++i)
      CHECK(std::abs(static_cast<double>(got[static_cast<std::size_t>(row * stride + i)]) -
                     want[static_cast<std::size_t>(row * n_in + i)]) <= bound);
    for (std::ptrdiff_t i = n_in; i < stride; ++i) CHECK(got[static_cast<std::size_t>(row * stride + i)] == -1.0f);
  }
}

TEST_CASE("LutDequantize gives the same bits on every path", "[kernels][reference]") {
  const auto [codebooks, bits, g, g_out] = GENERATE(table<int, int, int, int>(
      {{2, 8, 8, 1}, {1, 8, 4, 1}, {3, 8, 16, 1}, {8, 8, 32, 1}, {4, 4, 8, 1}, {3, 4, 4, 1}, {5, 6, 8, 1}, {2, 6, 4, 1}, {7, 6, 16, 1},
       {1, 6, 32, 1}, {3, 4, 32, 1}, {7, 8, 5, 1}, {2, 6, 12, 1}, {2, 4, 1, 1}, {1, 12, 8, 1}, {3, 5, 4, 1}, {2, 1, 20, 1}, {2, 8, 8, 2}, {1, 16, 8, 1}}));
  const auto [rows, n_in] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t>({{1, 1}, {13, 131}, {64, 256}, {65, 257}, {200, 520}}));
  const std::ptrdiff_t n_out = rows * g_out;
  CAPTURE(codebooks, bits, g, g_out, n_out, n_in);
  const PackedRandomLayer layer({codebooks, bits, g, g_out}, n_out, n_in, 11);
  const Tile whole{0, n_out, 0, n_in};
  check_paths<float>(layer.packed, whole);
  check_paths<bfloat16>(layer.packed, whole);
  check_paths<half>(layer.packed, whole);
}

TEST_CASE("A tile decodes to the same weights of the whole", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 6, 8, 1}, Scheme{2, 8, 4, 1}, Scheme{4, 4, 16, 1}, Scheme{2, 8, 32, 1}, Scheme{3, 8, 7, 1},
                                 Scheme{2, 5, 24, 1}, Scheme{1, 9, 8, 4});
  const std::ptrdiff_t n_out = 300, n_in = 1100;
  const PackedRandomLayer layer(scheme, n_out, n_in, 5);
  std::vector<float> whole(index(n_out * n_in));
  Dequantize::run(layer.packed, 0, n_out, 0, n_in, whole.data(), n_in);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Tile& tile : {Tile{5, 9, 13, 33}, {0, 8, 0, 512}, {120, 140, 250, 262}, {255, 300, 1, 2}, {1, 2, 0, 1100}, {299, 300, 1093, 1100},
                             {64, 80, 128, 384}, {127, 129, 7, 9}, {3, 12, 1024, 1100}, {10, 10, 0, 8}, {10, 12, 40, 40}, {248, 257, 17, 1099}}) {
      const std::ptrdiff_t inputs = tile.last_input - tile.first_input;
      std::vector<float> part(index((tile.last_row - tile.first_row) * inputs));
      set.dequantize_fp32(layer.packed, tile.first_row, tile.last_row, tile.first_input, tile.last_input, part.data(), inputs);
      bool same = true;
      for (std::ptrdiff_t r = tile.first_row; r < tile.last_row; ++r)
        for (std::ptrdiff_t i = tile.first_input; i < tile.last_input; ++i)
          same &= part[index((r - tile.first_row) * inputs + i - tile.first_input)] == whole[index(r * n_in + i)];
      CAPTURE(set.arch, scheme.in_group_size, tile.first_row, tile.first_input);
      CHECK(same);
      check_paths<bfloat16>(layer.packed, tile);
      check_paths<half>(layer.packed, tile);
    }
}

TEST_CASE("Decoded values round to nearest, ties to even; NaN, infinity and denormals as they are", "[kernels][property]") {
  // One weight per codeword, so that weights are the codewords times the scale.
  const float scale = 0.3333f, nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f, -0.0f, nan, -nan, infinity, -infinity, 65504.0f, -65504.0f, 6e-8f, -6e-8f, 1e-5f, 1.0f, 1.00195f, 3.14f};
  basin::SplitMix64 random(7);
  while (values.size() < 256) values.push_back(static_cast<float>(random.normal() * std::exp2(static_cast<double>(random.below(30)) - 20)));
  const int g = GENERATE(8, 4);
  basin::AdditiveLayer stored{{1, 8, g, 1}, 8, 256 * g, {}, {}, {}};
  for (int o = 0; o < 8; ++o)
    for (int j = 0; j < 256; ++j) stored.codes.push_back(static_cast<std::uint16_t>(j));
  for (int k = 0; k < 256; ++k)
    for (int i = 0; i < g; ++i) stored.codebooks.push_back(basin::float_to_half(values[index((k + i) % 256)]));
  for (const float s : {1.0f, scale, 1e-5f, 0.0f, -0.7f, 100.0f, infinity, 2.0f}) stored.scales.push_back(basin::float_to_half(s));
  const PackedRandomLayer layer(stored);
  const Tile whole{0, 8, 0, 256 * g};
  check_paths<float>(layer.packed, whole);
  check_paths<bfloat16>(layer.packed, whole);
  check_paths<half>(layer.packed, whole);

  // And the scalar path is right.
  std::vector<float> floats(index(8 * 256 * g));
  std::vector<half> halves(floats.size());
  std::vector<bfloat16> bfloats(floats.size());
  Dequantize::run(layer.packed, 0, 8, 0, 256 * g, floats.data(), 256 * g);
  Dequantize::run(layer.packed, 0, 8, 0, 256 * g, halves.data(), 256 * g);
  Dequantize::run(layer.packed, 0, 8, 0, 256 * g, bfloats.data(), 256 * g);
  bool right = true;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    right &= static_cast<std::uint16_t>(halves[i]) == basin::float_to_half(floats[i]);
    const float got = basin::bfloat16_to_float(static_cast<std::uint16_t>(bfloats[i]));
    if (std::isnan(floats[i])) right &= std::isnan(got);
    else if (std::isinf(floats[i])) right &= got == floats[i];
    else right &= std::abs(got - floats[i]) <= std::max(std::abs(floats[i]) * 0x1p-8f, 0x1p-134f);
  }
  CHECK(right);
}

TEST_CASE("LutDequantize reads nothing behind the packed bytes", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{3, 8, 4, 1}, Scheme{3, 4, 4, 1}, Scheme{5, 6, 16, 1}, Scheme{2, 4, 7, 1}, Scheme{1, 16, 8, 1},
                                 Scheme{3, 5, 24, 2});
  const std::ptrdiff_t n_in = GENERATE(1, 32, 100, 520);
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, n_in);
  const PackedRandomLayer layer(scheme, 64, n_in, 12);
  const basin::test::GuardedBytes memory(basin::packed_layer_bytes(scheme, 64, n_in));
  const PackedLayer guarded = basin::pack_layer(view(layer.stored), memory.span()).layer;
  REQUIRE(guarded.codes != nullptr);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Tile& tile : {Tile{0, 64, 0, n_in}, {63, 64, n_in - 1, n_in}, {58, 63, 0, n_in}})
      CHECK(decode<float>(set, guarded, tile) == decode<float>(set, layer.packed, tile));
}
