#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

#include <limits>

namespace basin {
/// Streams how far the outputs of a changed layer or block are from the original's.
///
///     |Y' - Y|^2 / |Y|^2 over everything added so far
///
/// Shapes    Y, Y': [tokens, outputs], any number of tokens at a time.
/// Accuracy  sums in double, of floats; bit-identical for every executor.
class OutputError {
 public:
  /// @throws ShapeError unless both have the same shape. @throws ValueError for entries that are not finite; nothing is
  ///         added then.
  void add(ConstMatrixRef<float> original, ConstMatrixRef<float> changed) {
    if (original.rows() != changed.rows() || original.cols() != changed.cols())
      raise<ShapeError>("OutputError: outputs must have one shape, got [", original.rows(), ", ", original.cols(), "] and [",
                        changed.rows(), ", ", changed.cols(), "]");
    const double error = (changed.template cast<double>() - original.template cast<double>()).squaredNorm();
    const double energy = original.template cast<double>().squaredNorm();
    if (!(error < std::numeric_limits<double>::infinity()) || !(energy < std::numeric_limits<double>::infinity()))
      raise<ValueError>("OutputError: outputs must be finite; a layer overflows");
    error_ += error;
    energy_ += energy;
  }

  /// 0 where nothing differs.
  [[nodiscard]] double value() const noexcept {
    if (energy_ > 0) return error_ / energy_;
    return error_ > 0 ? std::numeric_limits<double>::infinity() : 0;
  }

 private:
  double error_ = 0, energy_ = 0;
};

}  // namespace basin
