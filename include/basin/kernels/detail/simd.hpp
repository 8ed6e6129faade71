#pragma once

#include <basin/core/config.hpp>

namespace basin::kernels::detail {
/// The vector operations of an instruction set, as the kernels in this folder use them; the file of
/// that name under arch/ defines it. Every function is static, always inlined and takes raw pointers.
///
///     lanes, floats      bytes and floats in a vector; lanes = 4 floats
///     strips<planes>     1 or 2: vectors of rows that the registers hold sums for
///     Bytes, Floats      vectors
///     Sums               4 vectors of int32 for `lanes` rows: lane i of vector v is row 4 i + v
///
///     broadcast, load, store, multiply, multiply_add (one rounding), max_magnitude, largest_lane
///     load_bytes; low_half, high_half (of a byte), low_six, top_bits(a, b, c): codes of b = 4 and 6
///     load_table<K>(bytes), lookup<K>(table, codes)     K = 16, 64 or 256 entries of one byte
///     load_sums, store_sums
///     accumulate(sums, a, ka), accumulate(sums, a, ka, b, kb)     sums += k * entry, k as in LutWorkspace
///     quantize<planes>(entries, K, inverse, table)      round(entry * inverse) + offset as bytes, [planes][K]
///     to_floats(int32*, bias)                           of (value - bias), `floats` of them
///     interleave(Floats[4], out)                        Sums' order to row order
///     pack_exact(entries, K, table), add_exact<Bits>(tile, rows, num_codes, tables, sums),
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
