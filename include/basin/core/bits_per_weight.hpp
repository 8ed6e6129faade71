#pragma once

#include <basin/core/scheme.hpp>

#include <cmath>
#include <cstddef>

namespace basin {
/// Stored bits per weight of a layer, split by what they buy.
///
/// Source    the accounting of the AQLM code: fp16 codebooks, one fp16 scale per output group.
struct BitsPerWeight {
  double codes = 0;
  double codebooks = 0;
  double scales = 0;
  [[nodiscard]] constexpr double total() const noexcept { return codes + codebooks + scales; }
};

/// @param n_out, n_in  shape of the weight; a padded last group stores whole code tuples.
[[nodiscard]] constexpr BitsPerWeight bits_per_weight(const Scheme& scheme, std::ptrdiff_t n_out,
                                                      std::ptrdiff_t n_in) noexcept {
  constexpr double fp16_bits = 16;
  const double weights = static_cast<double>(n_out) * static_cast<double>(n_in);
  const double out_groups = static_cast<double>(n_out) / scheme.out_group_size;
  const double tuples = out_groups * static_cast<double>(scheme.num_in_groups(n_in));
  const double codewords = scheme.num_codebooks * static_cast<double>(scheme.codebook_size());
  return {.codes = tuples * scheme.num_codebooks * scheme.bits_per_code / weights,
          .codebooks = codewords * static_cast<double>(scheme.codeword_size()) * fp16_bits / weights,
          .scales = out_groups * fp16_bits / weights};
}

/// rho = N / K^M: weight groups per distinct code tuple. Above 1 groups compete for tuples and the
/// starting codebooks decide the basin; below 1 assignment freedom absorbs their mistakes.
///
/// Source    OA-EM, arXiv:2604.08118.
[[nodiscard]] inline double representational_ratio(const Scheme& scheme, std::ptrdiff_t n_out,
                                                   std::ptrdiff_t n_in) noexcept {
  const double groups = static_cast<double>(n_out) / scheme.out_group_size *
                        static_cast<double>(scheme.num_in_groups(n_in));
  return groups / std::exp2(scheme.num_codebooks * scheme.bits_per_code);
}

}  // namespace basin
