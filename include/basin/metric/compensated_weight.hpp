#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/damping.hpp>

namespace basin {
/// How far a layer makes up for errors before it; see compensated_weight().
struct Compensation {
  double strength = 1;    ///< 0: not at all, 1: all that a linear layer can
  double damping = 0.01;  ///< of H, relative to mean(diag H): keeps directions without signal out of it
};

/// The weight a layer should be quantized for when the layers before it are quantized already: the one
/// whose outputs, on the inputs as they are now, come closest to what the original model has there.
///
///     W* = W + strength E^T X / n (H + damping m I)^-1,   H = X^T X / n,  m = tr(H) / n_in
///
/// minimises |E + X W^T - X W*^T|^2 for strength 1 and damping 0. X: the inputs now. E: what the
/// unquantized layer's outputs lack on them, [n, n_out]. Inputs that have drifted by Z = X_original - X
/// give E = Z W^T; where the output joins a residual stream, add what the stream lacks there.
///
/// Shapes    W: [n_out, n_in];  deficit = E^T X / n: [n_out, n_in], see CrossGramAccumulator;
///           H: [n_in, n_in].
/// Cost      one Cholesky of H and n_out n_in^2 multiply-adds, in double.
/// Accuracy  bit-identical for every executor. H = 0 leaves W as it is.
/// Errors    ShapeError; ValueError if something is not finite, an option is out of range or H is not
///           positive semidefinite.
/// Source    quantization error propagation, arXiv:2504.09629, for drifted inputs; the residual stream's
///           part is this library's.
[[nodiscard]] inline Matrix<float> compensated_weight(ConstMatrixRef<float> weight, ConstMatrixRef<double> deficit,
                                                      ConstMatrixRef<double> hessian, const Compensation& options = {},
                                                      const RunContext& context = {}) {
  if (deficit.rows() != weight.rows() || deficit.cols() != weight.cols() || hessian.rows() != weight.cols() ||
      hessian.cols() != weight.cols())
    raise<ShapeError>("compensated_weight: W is [", weight.rows(), ", ", weight.cols(),
                      "], so the deficit must have its shape and H be [", weight.cols(), ", ", weight.cols(), "], got [",
                      deficit.rows(), ", ", deficit.cols(), "] and [", hessian.rows(), ", ", hessian.cols(), "]");
  if (!weight.allFinite() || !deficit.allFinite() || !hessian.allFinite())
    raise<ValueError>("compensated_weight: W, the deficit and H must be finite");
  if (!(options.strength >= 0) || !(options.strength <= 1))
    raise<ValueError>("compensated_weight: strength must be in [0, 1], got ", options.strength);
  const double damping = relative_damping(hessian, options.damping);
  if (options.strength == 0 || hessian.isZero(0)) return weight;
  const Matrix<double> lower = damped_cholesky(hessian, damping, context).lower;
  Matrix<float> compensated(weight.rows(), weight.cols());
  for_each_range(context, weight.rows(), 96, [&](Index begin, Index end) {
    Eigen::MatrixXd change = deficit.middleRows(begin, end - begin).transpose();
    lower.triangularView<Eigen::Lower>().solveInPlace(change);
    lower.transpose().triangularView<Eigen::Upper>().solveInPlace(change);
    compensated.middleRows(begin, end - begin) =
        (weight.middleRows(begin, end - begin).cast<double>() + options.strength * change.transpose()).cast<float>();
  });
  return compensated;
}

}  // namespace basin
