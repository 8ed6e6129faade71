#pragma once

#include <basin/kernels/arch/scalar.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/additive_view.hpp>

#include <cstddef>

namespace basin::kernels {
/// y = What x straight from codes: inputs meet every codeword once, rows then only add.
///
///     T[j, m, k] = sum_i x[j*g + i] C[m][k][0, i];   y[o] = s[o] * sum_j sum_m T[j, m, z[o, j, m]]
///
/// Shapes    x: [n_in], y: [last_row - first_row], table: lut_size(layer) floats; g_out = 1.
/// Accuracy  |y - exact| <= 2 (n_in + M J + 8) 2^-24 |s| sum_j sum_m sum_i |C_i x_i|.
/// Threads   build_lut once per x, then ranges of rows side by side.
/// Source    AQLM, arXiv:2401.06118.
template <class Arch>
struct LutMatvec;

[[nodiscard]] constexpr std::ptrdiff_t lut_size(const AdditiveView& layer) noexcept {
  return layer.scheme.num_in_groups(layer.n_in) * layer.scheme.num_codebooks * layer.scheme.codebook_size();
}

template <>
struct LutMatvec<scalar> {
  static void build_lut(const AdditiveView& layer, const float* x, float* table) noexcept {
    arch_scalar::build_lut(layer, x, table);
  }
  static void run(const AdditiveView& layer, const float* table, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      y[row - first_row] = arch_scalar::matvec_row(layer, table, row);
  }
};

}  // namespace basin::kernels
