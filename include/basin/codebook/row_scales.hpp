#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

#include <cmath>
#include <concepts>

namespace basin {
/// What a row scale is above the norm, so that a row of zeros can be divided by it.
inline constexpr double row_scale_floor = 1e-9;

/// One scale per output group: what W is divided by before clustering.
///
///     s[o] = || W[o*g_out .. (o+1)*g_out - 1, :] ||_2 + 1e-9
///
/// Shapes    W: [n_out, n_in], padded or not;  s: [n_out / g_out].
/// Units     those of W; the norm runs over all elements of the group (not their mean).
/// Cost      one pass over W.
/// Accuracy  summed in double, rounded once to T.
/// Source    AQLM, arXiv:2401.06118.
/// @throws ShapeError if n_out is not a multiple of g_out.
template <std::floating_point T>
[[nodiscard]] Vector<T> row_scales(ConstMatrixRef<T> weight, Index out_group_size) {
  if (out_group_size < 1 || weight.rows() % out_group_size != 0)
    raise<ShapeError>("the output group size must divide n_out: ", out_group_size, " does not divide ",
                      weight.rows());
  Vector<T> scales(weight.rows() / out_group_size);
  for (Index o = 0; o < scales.size(); ++o) {
    const auto group = weight.middleRows(o * out_group_size, out_group_size);
    scales(o) = static_cast<T>(std::sqrt(group.template cast<double>().squaredNorm()) + row_scale_floor);
  }
  return scales;
}

/// W / s cut into groups: row o * J + j holds group (o, j), its g_out rows one after the other.
///
/// Shapes    W: [n_out, J * g];  s: [O];  result: [O * J, g_out * g].
template <std::floating_point T>
[[nodiscard]] Matrix<T> normalized_groups(ConstMatrixRef<T> weight, ConstVectorRef<T> scales, Index g,
                                          Index out_group_size) {
  const Index in_groups = weight.cols() / g;
  Matrix<T> groups(scales.size() * in_groups, out_group_size * g);
  for (Index o = 0; o < scales.size(); ++o)
    for (Index p = 0; p < out_group_size; ++p)
      for (Index j = 0; j < in_groups; ++j)
        groups.row(o * in_groups + j).segment(p * g, g) =
            weight.row(o * out_group_size + p).segment(j * g, g) / scales(o);
  return groups;
}

}  // namespace basin
