#pragma once

#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/core/types.hpp>

#include <concepts>

namespace basin {
/// M codebooks of K codewords; a group of weights is a sum of one codeword from each.
///
/// Shapes    values: [M * K, D], D = g_out * g, a codeword's rows one after the other.
template <std::floating_point T>
class AdditiveCodebook {
 public:
  using value_type = T;

  AdditiveCodebook() = default;
  /// All codewords zero. @throws ValueError if the scheme is out of range.
  explicit AdditiveCodebook(const Scheme& scheme) : scheme_(scheme) {
    if (!scheme.is_valid())
      raise<ValueError>("AdditiveCodebook: scheme ", to_string(scheme),
                        " is out of range: 1 to 8 codebooks, 1 to 16 bits, 1 to 4096 weights per group");
    values_ = Matrix<T>::Zero(scheme.num_codebooks * scheme.codebook_size(), scheme.codeword_size());
  }

  [[nodiscard]] const Scheme& scheme() const noexcept { return scheme_; }
  [[nodiscard]] Index num_codebooks() const noexcept { return scheme_.num_codebooks; }
  [[nodiscard]] Index size() const noexcept { return scheme_.codebook_size(); }
  [[nodiscard]] Index codeword_size() const noexcept { return scheme_.codeword_size(); }

  [[nodiscard]] const T* codeword(Index m, Index k) const noexcept {
    BASIN_ASSERT(m >= 0 && m < num_codebooks() && k >= 0 && k < size());
    return values_.data() + (m * size() + k) * codeword_size();
  }
  /// C[m], shape [K, D].
  [[nodiscard]] auto codebook(Index m) const { return values_.middleRows(m * size(), size()); }
  [[nodiscard]] auto codebook(Index m) { return values_.middleRows(m * size(), size()); }
  /// All codewords, shape [M * K, D].
  [[nodiscard]] const Matrix<T>& values() const noexcept { return values_; }
  [[nodiscard]] Matrix<T>& values() noexcept { return values_; }

 private:
  Scheme scheme_;
  Matrix<T> values_;
};

}  // namespace basin
