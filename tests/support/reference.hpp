#pragma once

#include <basin/core/types.hpp>

namespace basin::test {
/// (w - c)^T H (w - c) by two loops in long double.
template <class H, class W, class C>
[[nodiscard]] long double quadratic_form(const Eigen::MatrixBase<H>& h, const Eigen::MatrixBase<W>& w,
                                         const Eigen::MatrixBase<C>& c) {
  long double sum = 0;
  for (Index i = 0; i < h.rows(); ++i)
    for (Index j = 0; j < h.cols(); ++j)
      sum += (static_cast<long double>(w(i)) - static_cast<long double>(c(i))) * static_cast<long double>(h(i, j)) *
             (static_cast<long double>(w(j)) - static_cast<long double>(c(j)));
  return sum;
}

/// tr((W - V) H (W - V)^T), the loss of a layer, by three loops in long double.
template <class W, class V, class H>
[[nodiscard]] long double layer_loss(const Eigen::MatrixBase<W>& weight, const Eigen::MatrixBase<V>& decoded,
                                     const Eigen::MatrixBase<H>& h) {
  long double sum = 0;
  for (Index row = 0; row < weight.rows(); ++row)
    sum += quadratic_form(h, weight.row(row), decoded.row(row));
  return sum;
}

}  // namespace basin::test
