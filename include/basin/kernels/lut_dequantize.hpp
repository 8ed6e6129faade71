#pragma once

#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels {
/// bfloat16 and IEEE binary16 as bits: types of their own, so that neither is taken for the other.
enum class bfloat16 : std::uint16_t {};
enum class half : std::uint16_t {};

/// A tile of What from its codes; one look-up per codebook and group.
///
///     out[r - first_row, i - first_input] = s[o] * sum_m C[m][z[o, j, m]][p, i - j*g],   r = o*g_out + p
///
///     run<Out>(layer, first_row, last_row, first_input, last_input, out, stride)   Out: float, bfloat16, half
///
/// Shapes    out: [last_row - first_row, last_input - first_input], rows `stride` elements apart.
/// Accuracy  float sums in codebook order, scaled once, rounded once to Out: bit-exact on every path.
/// Threads   tiles may run side by side.
/// Source    AQLM, arXiv:2401.06118.
template <class Arch>
struct LutDequantize;

}  // namespace basin::kernels
