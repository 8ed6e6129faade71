#pragma once

#include <basin/codebook/additive_codebook.hpp>
#include <basin/codebook/codes.hpp>
#include <basin/core/bits_per_weight.hpp>
#include <basin/core/config.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <concepts>

namespace basin {
/// A weight as scales, codes and additive codebooks, while it is being quantized.
///
///     What[o*g_out + p, j*g + i] = s[o] * sum_m C[m][z[o, j, m]][p, i]
///
/// Shapes    n_out rows, padded_in = J * g columns, of which the first n_in are real.
/// Source    AQLM, arXiv:2401.06118.
template <std::floating_point T>
struct AdditiveWeight {
  using value_type = T;

  Index n_out = 0;
  Index n_in = 0;
  AdditiveCodebook<T> codebooks;
  Codes codes;        ///< [O, J, M]
  Vector<T> scales;   ///< [O]

  [[nodiscard]] const Scheme& scheme() const noexcept { return codebooks.scheme(); }
  [[nodiscard]] Index num_out_groups() const noexcept { return codes.num_out_groups(); }
  [[nodiscard]] Index num_in_groups() const noexcept { return codes.num_in_groups(); }
  [[nodiscard]] Index padded_in() const noexcept { return num_in_groups() * scheme().in_group_size; }

  /// sum_m C[m][z[o, j, m]] of one group, written to `out`: [D].
  void decode_group(Index o, Index j, T* out) const noexcept {
    const Index size = codebooks.codeword_size();
    const Codes::value_type* tuple = codes.row(o) + j * codes.num_codebooks();
    const T* first = codebooks.codeword(0, tuple[0]);
    for (Index d = 0; d < size; ++d) out[d] = first[d];
    for (Index m = 1; m < codes.num_codebooks(); ++m) {
      const T* next = codebooks.codeword(m, tuple[m]);
      for (Index d = 0; d < size; ++d) out[d] += next[d];
    }
  }
  /// The g_out rows of output group o without their scale, written to `out`: [g_out, padded_in].
  void decode_unscaled(Index o, MatrixRef<T> out) const {
    const Index g = scheme().in_group_size;
    const Index g_out = scheme().out_group_size;
    Vector<T> group(codebooks.codeword_size());
    for (Index j = 0; j < num_in_groups(); ++j) {
      decode_group(o, j, group.data());
      for (Index p = 0; p < g_out; ++p)
        for (Index i = 0; i < g; ++i) out(p, j * g + i) = group(p * g + i);
    }
  }
  /// What, shape [n_out, padded_in].
  [[nodiscard]] Matrix<T> decode(const RunContext& context = {}) const {
    const Index g_out = scheme().out_group_size;
    Matrix<T> decoded(n_out, padded_in());
    for_each_range(context, num_out_groups(), 16, [&](Index begin, Index end) {
      for (Index o = begin; o < end; ++o) {
        decode_unscaled(o, decoded.middleRows(o * g_out, g_out));
        decoded.middleRows(o * g_out, g_out) *= scales(o);
      }
    });
    return decoded;
  }
  /// Every stride-th output group, from the first on.
  [[nodiscard]] AdditiveWeight sample(Index stride) const {
    BASIN_ASSERT(stride >= 1);
    const Index groups = (num_out_groups() + stride - 1) / stride;
    AdditiveWeight sampled{groups * scheme().out_group_size, n_in, codebooks,
                           Codes(groups, num_in_groups(), codes.num_codebooks()), Vector<T>(groups)};
    for (Index o = 0; o < groups; ++o) {
      std::copy_n(codes.row(o * stride), num_in_groups() * codes.num_codebooks(), sampled.codes.row(o));
      sampled.scales(o) = scales(o * stride);
    }
    return sampled;
  }
  [[nodiscard]] BitsPerWeight stored_bits() const noexcept { return bits_per_weight(scheme(), n_out, n_in); }
};

}  // namespace basin
