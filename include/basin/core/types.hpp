#pragma once

#include <Eigen/Core>

#include <cstdint>

namespace basin {
using Index = Eigen::Index;

/// Row-major like the checkpoints it comes from: weights are [n_out, n_in], tokens are rows.
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// Read-only views; rows may be further apart than they are long.
template <class T>
using ConstMatrixRef = Eigen::Ref<const Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T>
using ConstVectorRef = Eigen::Ref<const Vector<T>>;
template <class T>
using MatrixRef = Eigen::Ref<Matrix<T>, 0, Eigen::OuterStride<>>;

/// Contiguous views of raw storage.
template <class T>
using ConstMatrixMap = Eigen::Map<const Matrix<T>>;
template <class T>
using MatrixMap = Eigen::Map<Matrix<T>>;

}  // namespace basin
