#pragma once

#include <basin/core/config.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// What decoding asks of an instruction set: eight neighbouring weights of a row at a time, as floats or as
/// 16-bit words. The file <arch>_octets.hpp under arch/ defines it; every function is static, always
/// inlined and takes raw pointers.
///
///     Of<float>, Of<int16_t>                      eight of them
///     load(at), load_halves(low, high), add       load_halves: four from each
///     broadcast(float), multiply, load_half(fp16 bits), half_to_float(fp16 bits)
///     store(float*, bfloat16* or half*, floats)   rounded to nearest, ties to even
///     store(int16_t*, words)
///     round(x, inverse, int16_t* or int8_t* out)  out[i] = x[i] * inverse to nearest; must fit
template <class Arch>
struct Octets;

/// Where eight neighbouring rows of a row block have their codes.
struct Strip {
  const std::uint8_t* column;  ///< byte of the first row in plane 0
  std::ptrdiff_t rows;         ///< bytes of a plane
  int skipped_bits;            ///< 8 for every row that the strip starts early so as to stay in its block
};

[[nodiscard]] BASIN_ALWAYS_INLINE Strip strip_at(const PackedLayer& layer, std::ptrdiff_t block, std::ptrdiff_t row) noexcept {
  const std::ptrdiff_t first = row / PackedLayer::rows_per_block * PackedLayer::rows_per_block;
  const std::ptrdiff_t rows = rows_in_block(layer, first), at = row - first, start = at < rows - 8 ? at : rows - 8;
  return {tile_codes(layer, block, first) + start, rows, static_cast<int>(8 * (at - start))};
}

/// The codes of one row, for Rows = 1: nothing of its neighbours is read.
[[nodiscard]] BASIN_ALWAYS_INLINE Strip row_at(const PackedLayer& layer, std::ptrdiff_t block, std::ptrdiff_t row) noexcept {
  const std::ptrdiff_t first = row / PackedLayer::rows_per_block * PackedLayer::rows_per_block;
  return {tile_codes(layer, block, first) + row - first, rows_in_block(layer, first), 0};
}

/// Codes q of a strip's rows, one in each byte; of its first row where Rows is 1.
template <int Rows = 8>
[[nodiscard]] BASIN_ALWAYS_INLINE std::uint64_t strip_codes(const Strip& strip, std::ptrdiff_t q, int bits) noexcept {
  const auto plane = [&](std::ptrdiff_t p) BASIN_LAMBDA_INLINE {
    if constexpr (Rows == 1) return std::uint64_t{strip.column[p * strip.rows]};
    std::uint64_t bytes;
    __builtin_memcpy(&bytes, strip.column + p * strip.rows, sizeof bytes);
    return bytes >> strip.skipped_bits;
  };
  if (bits == 8) return plane(q);
  if (bits == 4) return plane(q / 2) >> (q % 2 * 4) & 0x0f0f0f0f0f0f0f0fu;
  const std::ptrdiff_t p = q / 4 * 3;
  if (q % 4 < 3) return plane(p + q % 4) & 0x3f3f3f3f3f3f3f3fu;
  return (plane(p) >> 6 & 0x0303030303030303u) | (plane(p + 1) >> 4 & 0x0c0c0c0c0c0c0c0cu) |
         (plane(p + 2) >> 2 & 0x3030303030303030u);
}

/// Octets of eight rows that stay in registers: members and no array, since loops would keep an array in memory.
template <class Arch, class Value>
struct Eight {
  typename Octets<Arch>::template Of<Value> v0, v1, v2, v3, v4, v5, v6, v7;
  template <int R>
  [[nodiscard]] BASIN_ALWAYS_INLINE auto& at() noexcept { return pick<R>(*this); }
  template <int R>
  [[nodiscard]] BASIN_ALWAYS_INLINE const auto& at() const noexcept { return pick<R>(*this); }

 private:
  template <int R, class Self>
  static BASIN_ALWAYS_INLINE auto& pick(Self& self) noexcept {
    if constexpr (R == 0) return self.v0;
    else if constexpr (R == 1) return self.v1;
    else if constexpr (R == 2) return self.v2;
    else if constexpr (R == 3) return self.v3;
    else if constexpr (R == 4) return self.v4;
    else if constexpr (R == 5) return self.v5;
    else if constexpr (R == 6) return self.v6;
    else return self.v7;
  }
};
/// visit.operator()<R>() for R = 0, .., Rows - 1.
template <int Rows, class Visit>
BASIN_ALWAYS_INLINE void for_rows(const Visit& visit) noexcept {
  visit.template operator()<0>();
  if constexpr (Rows > 1) visit.template operator()<1>();
  if constexpr (Rows > 2) {
    visit.template operator()<2>();
    visit.template operator()<3>();
  }
  if constexpr (Rows > 4) {
    visit.template operator()<4>();
    visit.template operator()<5>();
    visit.template operator()<6>();
    visit.template operator()<7>();
  }
}

/// What a decoding loop is made for: 2x8g8 with all loops unrolled; groups of 4, of 8, of another multiple of 8
/// (octets), or of any size (values).
enum class Groups { two_bytes, four, eight, octets, values };

/// The codeword in `book` that byte R of `codes` names.
template <Groups Kind, int R, class Value>
[[nodiscard]] BASIN_ALWAYS_INLINE const Value* codeword(const Value* book, std::uint64_t codes, std::ptrdiff_t g) noexcept {
  if constexpr (Kind == Groups::octets) {
    return book + static_cast<std::ptrdiff_t>(codes >> (8 * R) & 255) * g;
  } else {
    constexpr int bytes = (Kind == Groups::four ? 4 : 8) * static_cast<int>(sizeof(Value));
    constexpr int shift = bytes == 8 ? 3 : bytes == 16 ? 4 : 5;
    static_assert(bytes == 1 << shift);
    // A rotation leaves its operand, and so needs no copy of it.
    constexpr int right = (8 * R - shift + 64) % 64;
    const std::uint64_t offset = (codes >> right | codes << (64 - right)) & std::uint64_t{255} << shift;
    return reinterpret_cast<const Value*>(reinterpret_cast<const char*>(book) + offset);
  }
}

/// Sums of codewords: sink(e, sums) for the octets e in [first, last) of an input block, inputs 8 e to 8 e + 7 of
/// `Rows` rows of a strip, 8 or 1 (of row_at). `books` is [M, K, g]. Sums are in codebook order. Where the last octet has one group of
/// 4, the other half repeats it.
template <class Arch, Groups Kind, int Rows, int Bits = 0, class Value, class Sink>
BASIN_ALWAYS_INLINE void decode_octets(const Strip& strip, const Scheme& scheme, std::ptrdiff_t num_groups, const Value* books,
                                       std::ptrdiff_t first, std::ptrdiff_t last, Sink sink) noexcept {
  using O = Octets<Arch>;
  if constexpr (Rows == 1 && Bits == 0 && Kind != Groups::two_bytes) {  // a code's place is most of its cost here
    if (scheme.bits_per_code == 4) return decode_octets<Arch, Kind, Rows, 4>(strip, scheme, num_groups, books, first, last, sink);
    if (scheme.bits_per_code == 6) return decode_octets<Arch, Kind, Rows, 6>(strip, scheme, num_groups, books, first, last, sink);
    return decode_octets<Arch, Kind, Rows, 8>(strip, scheme, num_groups, books, first, last, sink);
  }
  constexpr bool is_eight = Kind == Groups::eight || Kind == Groups::two_bytes;
  const int bits = Kind == Groups::two_bytes ? 8 : Bits != 0 ? Bits : scheme.bits_per_code;
  const std::ptrdiff_t g = is_eight ? 8 : Kind == Groups::four ? 4 : scheme.in_group_size;
  const std::ptrdiff_t codebooks = Kind == Groups::two_bytes ? 2 : scheme.num_codebooks, book_size = g << bits;
  std::ptrdiff_t j = Kind == Groups::octets ? 8 * first / g : first, within = 8 * first - j * g;
  for (std::ptrdiff_t e = first; e < last; ++e) {
    Eight<Arch, Value> sum;
    const auto visit = [&](std::ptrdiff_t m, const auto& combine) BASIN_LAMBDA_INLINE {
      const Value* book = books + m * book_size;
      if constexpr (Kind == Groups::four) {
        const std::uint64_t low = strip_codes<Rows>(strip, 2 * e * codebooks + m, bits);
        const std::uint64_t high = 2 * e + 1 < num_groups ? strip_codes<Rows>(strip, (2 * e + 1) * codebooks + m, bits) : low;
        for_rows<Rows>([&]<int R>() BASIN_LAMBDA_INLINE {
          combine.template operator()<R>(O::load_halves(codeword<Kind, R>(book, low, g), codeword<Kind, R>(book, high, g)));
        });
      } else {
        const std::uint64_t codes = strip_codes<Rows>(strip, (is_eight ? e : j) * codebooks + m, bits);
        if constexpr (Kind == Groups::octets) book += within;
        for_rows<Rows>([&]<int R>() BASIN_LAMBDA_INLINE { combine.template operator()<R>(O::load(codeword<Kind, R>(book, codes, g))); });
      }
    };
    visit(0, [&]<int R>(auto values) BASIN_LAMBDA_INLINE { sum.template at<R>() = values; });
    for (std::ptrdiff_t m = 1; m < codebooks; ++m)
      visit(m, [&]<int R>(auto values) BASIN_LAMBDA_INLINE { sum.template at<R>() = O::add(sum.template at<R>(), values); });
    sink(e, sum);
    if (Kind == Groups::octets && (within += 8) == g) {
      within = 0;
      ++j;
    }
  }
}

/// The same for groups of any size, one value at a time: sink(r, i, sum) for the inputs i in [first, last) of
/// an input block and `count` rows of a strip.
template <class Value, class Sink>
BASIN_ALWAYS_INLINE void decode_values(const Strip& strip, std::ptrdiff_t count, const Scheme& scheme, const Value* books,
                                       std::ptrdiff_t first, std::ptrdiff_t last, Sink sink) noexcept {
  const std::ptrdiff_t g = scheme.in_group_size, codebooks = scheme.num_codebooks;
  const int bits = scheme.bits_per_code;
  for (std::ptrdiff_t i = first; i < last;) {
    const std::ptrdiff_t j = i / g, end = (j + 1) * g < last ? (j + 1) * g : last;
    std::uint64_t codes[8];
    for (std::ptrdiff_t m = 0; m < codebooks; ++m) codes[m] = strip_codes(strip, j * codebooks + m, bits);
    for (; i < end; ++i)
      for (std::ptrdiff_t r = 0; r < count; ++r) {
        Value sum = books[static_cast<std::ptrdiff_t>(codes[0] >> (8 * r) & 255) * g + i - j * g];
        for (std::ptrdiff_t m = 1; m < codebooks; ++m)
          sum = static_cast<Value>(sum + books[((m << bits) + static_cast<std::ptrdiff_t>(codes[m] >> (8 * r) & 255)) * g + i - j * g]);
        sink(r, i, sum);
      }
  }
}

/// Sums of codewords of one row of the family `rows`: octet(i, floats) for inputs i to i + 7, value(i, float) for
/// what fills no octet of its group.
template <class Arch, class Octet, class Single>
BASIN_ALWAYS_INLINE void decode_row(const PackedLayer& layer, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t last,
                                    Octet octet, Single value) noexcept {
  using O = Octets<Arch>;
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size, codebooks = layer.scheme.num_codebooks;
  const int bits = layer.scheme.bits_per_code;
  const std::uint8_t* codes = layer.codes + row / g_out * layer.row_bytes;
  for (std::ptrdiff_t i = first; i < last;) {
    const std::ptrdiff_t j = i / g, end = (j + 1) * g < last ? (j + 1) * g : last;
    const std::uint16_t* words[8];
    for (std::ptrdiff_t m = 0; m < codebooks; ++m) {
      // A code lies within three bytes, and a row has at least eight.
      const std::ptrdiff_t bit = (j * codebooks + m) * bits, byte = bit / 8 < layer.row_bytes - 4 ? bit / 8 : layer.row_bytes - 4;
      std::uint32_t window;
      __builtin_memcpy(&window, codes + byte, sizeof window);
      const auto code = static_cast<std::ptrdiff_t>(window >> (bit - byte * 8) & ((1u << bits) - 1));
      words[m] = layer.half_codebooks + (((m << bits) + code) * g_out + row % g_out) * g;
    }
    for (; i + 8 <= end; i += 8) {
      auto sum = O::load_half(words[0] + i - j * g);
      for (std::ptrdiff_t m = 1; m < codebooks; ++m) sum = O::add(sum, O::load_half(words[m] + i - j * g));
      octet(i, sum);
    }
    for (; i < end; ++i) {
      float sum = O::half_to_float(words[0][i - j * g]);
      for (std::ptrdiff_t m = 1; m < codebooks; ++m) sum += O::half_to_float(words[m][i - j * g]);
      value(i, sum);
    }
  }
}

/// Calls run.operator()<Kind>() for a layer of planes.
template <class Run>
BASIN_ALWAYS_INLINE void with_groups(const Scheme& scheme, Run run) noexcept {
  const int g = scheme.in_group_size;
  if (g == 8 && scheme.bits_per_code == 8 && scheme.num_codebooks == 2) run.template operator()<Groups::two_bytes>();
  else if (g == 8) run.template operator()<Groups::eight>();
  else if (g == 4) run.template operator()<Groups::four>();
  else if (g % 8 == 0) run.template operator()<Groups::octets>();
  else run.template operator()<Groups::values>();
}

}  // namespace basin::kernels::detail
