#pragma once

#include <basin/core/config.hpp>

namespace basin::kernels::detail {
/// The vector operations of an instruction set, as the kernels in this folder use them; the file of
/// that name under arch/ defines it. Every function is static, always inlined and takes raw pointers.
///
///     lanes, floats      bytes and floats in a vector; lanes = 4 floats
///     half_floats        floats that multiply_add_half takes: half a vector, or `floats` where there is no such thing
///     build_vectors      vectors of entries that are built side by side
///     strips<planes>     1 or 2: vectors of rows that the registers hold sums for
///     codes_at_once      2 or 4: codes that accumulate takes best
///     signed_entries     tables hold entries as they are; otherwise plus 128
///     Bytes, Floats      vectors
///     Sums               4 vectors of int32 for `lanes` rows, in an order that `interleave` undoes
///     Unpacker           (bits, stride): unpack(bytes, offsets) turns 8 codes into code * stride; reads 16 bytes
///
///     broadcast, load, store, add, multiply, multiply_add (one rounding), max_magnitude, largest_lane, sum_lanes
///     load_half, half_to_float, multiply_add_half; decode_two(a, b, Floats[16 / floats]): two codewords of 8
///     load_bytes; low_half, high_half (of a byte), low_six, top_bits(a, b, c): codes of b = 4 and 6
///     load_table<K>(bytes), lookup(table, codes)        K = 16, 64 or 256 entries of one byte
///     load_sums, store_sums
///     set_multiplier(multipliers, q, k)                 in 16 bytes per table, in a form of its own
///     accumulate(sums, Bytes[n], multipliers, q)        sums += k * entry of tables q .. q + n; n = codes_at_once, 1
///     quantize<planes, K>(entries, inverse, table)      round(entry * inverse) as bytes, [planes][K]
///     to_floats(int32*, bias)                           of (value - bias), `floats` of them
///     interleave(Floats[4], out)                        Sums' order to row order
///     pack_exact<K>(entries, table), add_exact<Bits>(tile, rows, num_codes, tables, sums),
///     exact_rows(sums, out)                             float tables and sums in a form of its own
template <class Arch>
struct Simd;

/// visit(0), .., visit(Count - 1) as straight code: a loop that the compiler keeps would hold vectors in memory.
template <int Count, class Visit>
BASIN_ALWAYS_INLINE void unroll(const Visit& visit) noexcept {
  if constexpr (Count > 0) {
    unroll<Count - 1>(visit);
    visit(Count - 1);
  }
}

}  // namespace basin::kernels::detail
