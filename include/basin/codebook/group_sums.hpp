#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

namespace basin {
/// sum_m X[m][z[o, j, m]] for every group: codewords spread over the weights that use them.
///
/// Shapes    codewords: [M * K, D]  ->  [n_out, padded_in], without scales.
template <std::floating_point T>
[[nodiscard]] Matrix<T> gather_codewords(const AdditiveWeight<T>& weight, const Matrix<T>& codewords,
                                         const RunContext& context = {}) {
  const Index g = weight.scheme().in_group_size, g_out = weight.scheme().out_group_size;
  const Index size = weight.codebooks.size(), num_codebooks = weight.codes.num_codebooks();
  const Index depth = weight.codebooks.codeword_size();
  Matrix<T> spread(weight.n_out, weight.padded_in());
  for_each_range(context, weight.num_out_groups(), 32, [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) {
      const Codes::value_type* codes = weight.codes.row(o);
      for (Index j = 0; j < weight.num_in_groups(); ++j, codes += num_codebooks)
        for (Index p = 0; p < g_out; ++p) {
          T* BASIN_RESTRICT out = spread.data() + (o * g_out + p) * spread.cols() + j * g;
          const T* first = codewords.data() + codes[0] * depth + p * g;
          for (Index i = 0; i < g; ++i) out[i] = first[i];
          for (Index m = 1; m < num_codebooks; ++m) {
            const T* next = codewords.data() + (m * size + codes[m]) * depth + p * g;
            for (Index i = 0; i < g; ++i) out[i] += next[i];
          }
        }
    }
  });
  return spread;
}

/// The adjoint of gather_codewords with rows weighted: sum over the groups that use codeword (m, k)
/// of factor[o] * x[o, j].
///
/// Shapes    x: [n_out, padded_in], factor: [O]  ->  [M * K, D] in double; sums have a fixed order.
template <std::floating_point T>
[[nodiscard]] Matrix<double> scatter_groups(const AdditiveWeight<T>& weight, const Matrix<T>& x,
                                            const Vector<double>& factor, const RunContext& context = {}) {
  const Index g = weight.scheme().in_group_size, g_out = weight.scheme().out_group_size;
  const Index size = weight.codebooks.size(), num_codebooks = weight.codes.num_codebooks();
  const Index depth = weight.codebooks.codeword_size();
  const Index chunks = std::min<Index>(8, weight.num_out_groups());
  const Index grain = (weight.num_out_groups() + chunks - 1) / chunks;
  std::vector<Matrix<double>> partial(static_cast<std::size_t>(chunks));
  for_each_range(context, weight.num_out_groups(), grain, [&](Index begin, Index end) {
    Matrix<double>& sums = partial[static_cast<std::size_t>(begin / grain)];
    sums = Matrix<double>::Zero(num_codebooks * size, depth);
    for (Index o = begin; o < end; ++o) {
      const double f = factor(o);
      const Codes::value_type* codes = weight.codes.row(o);
      for (Index j = 0; j < weight.num_in_groups(); ++j, codes += num_codebooks)
        for (Index p = 0; p < g_out; ++p) {
          const T* BASIN_RESTRICT in = x.data() + (o * g_out + p) * x.cols() + j * g;
          for (Index m = 0; m < num_codebooks; ++m) {
            double* BASIN_RESTRICT sum = sums.data() + (m * size + codes[m]) * depth + p * g;
            for (Index i = 0; i < g; ++i) sum[i] += f * static_cast<double>(in[i]);
          }
        }
    }
  });
  Matrix<double> total = std::move(partial[0]);
  for (std::size_t c = 1; c < partial.size(); ++c)
    if (partial[c].size() != 0) total += partial[c];
  return total;
}

/// X H in rows of fixed blocks, so that the result does not depend on the executor.
template <std::floating_point T>
[[nodiscard]] Matrix<T> times_hessian(const Matrix<T>& x, const Matrix<T>& hessian, const RunContext& context = {}) {
  Matrix<T> product(x.rows(), hessian.cols());
  for_each_range(context, x.rows(), 96, [&](Index begin, Index end) {
    product.middleRows(begin, end - begin).noalias() = x.middleRows(begin, end - begin) * hessian;
  });
  return product;
}

}  // namespace basin
