#pragma once

#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <concepts>

namespace basin {
/// An orthogonal map U of the inputs, applied before quantizing and undone at run time: W' = W U,
/// H' = U^T H U, x' = U^T x, so W' x' = W x and the objective is the same. Both calls work on the
/// rows of a matrix in place; a transform that can use the host's threads takes a RunContext as an optional
/// second argument. Laws: tests/laws/transform_laws.hpp.
template <class U>
concept Transform = std::copyable<U> && requires(const U transform, Matrix<float>& single, Matrix<double>& exact) {
  transform.apply(single);
  transform.apply(exact);
  transform.invert(single);
  transform.invert(exact);
};

/// rows <- rows U, with `context` for transforms that can use it.
template <Transform U, class T>
void apply_transform(const U& transform, Matrix<T>& rows, const RunContext& context = {}) {
  if constexpr (requires { transform.apply(rows, context); }) transform.apply(rows, context);
  else transform.apply(rows);
}

}  // namespace basin
