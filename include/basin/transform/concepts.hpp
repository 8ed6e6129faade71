#pragma once

#include <basin/core/types.hpp>

#include <concepts>

namespace basin {
/// An orthogonal map U of the inputs, applied before quantizing and undone at run time: W' = W U,
/// H' = U^T H U, x' = U^T x, so W' x' = W x and the objective is the same. Both calls work on the
/// rows of a matrix in place. Laws: tests/laws/transform_laws.hpp.
template <class U>
concept Transform = std::copyable<U> && requires(const U transform, Matrix<float>& single, Matrix<double>& exact) {
  transform.apply(single);
  transform.apply(exact);
  transform.invert(single);
  transform.invert(exact);
};

}  // namespace basin
