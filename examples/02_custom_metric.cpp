// A metric of the host's own: importance of inputs only, as VPTQ weighs its k-means. It is a struct
// with one function; the laws that ours obey run on it in tests/metric.
#include "custom_metric.hpp"

#include <basin/basin.hpp>

#include <cstdio>

int main() {
  const basin::Matrix<float> weight = basin::Matrix<float>::Random(128, 256);
  basin::Matrix<float> inputs = basin::Matrix<float>::Random(1024, 256);
  for (basin::Index i = 0; i < inputs.cols(); ++i) inputs.col(i) *= 1 + 0.02f * static_cast<float>(i);
  basin::GramAccumulator gram(256);
  gram.add(inputs);

  const basin::Scheme scheme{2, 6, 8};
  const auto error_with = [&](auto metric) {
    const basin::Quantizer quantizer(metric, basin::OaEm{}, basin::JointBeam{}, basin::LeastSquares{});
    return quantizer.quantize(weight, gram.hessian(), scheme).report.relative_error;
  };
  const double ours = error_with(basin::ConditionalBlocks{}), theirs = error_with(host::InputImportance{});
  std::printf("relative error: conditional blocks %.4f, input importance %.4f\n", ours, theirs);
  return theirs > 0 && theirs < 0.5 ? 0 : 1;
}
