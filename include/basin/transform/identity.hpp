#pragma once

#include <basin/transform/concepts.hpp>

namespace basin {
/// Leaves weights as they are: the right transform for additive codebooks, which profit from the
/// structure that a rotation would wash out.
struct Identity {
  template <class T>
  void apply(Matrix<T>&) const noexcept {}
  template <class T>
  void invert(Matrix<T>&) const noexcept {}
};
static_assert(Transform<Identity>);

}  // namespace basin
