#pragma once

#include <basin/kernels/arch/scalar.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/additive_view.hpp>

#include <cstddef>

namespace basin::kernels {
/// Rows of What from their codes; one look-up per codebook and group.
///
///     out[r - first_row, i] = s[o] * sum_m C[m][z[o, j, m]][p, i - j*g],   r = o*g_out + p
///
/// Shapes    out: [last_row - first_row, n_in], rows `stride` floats apart; any row range.
/// Accuracy  float sums in codebook order, scaled once.
/// Threads   const; ranges may run side by side.
/// Source    AQLM, arXiv:2401.06118.
template <class Arch>
struct LutDequantize;

template <>
struct LutDequantize<scalar> {
  static void run(const AdditiveView& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out,
                  std::ptrdiff_t stride) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      arch_scalar::dequantize_row(layer, row, out + (row - first_row) * stride);
  }
};

}  // namespace basin::kernels
