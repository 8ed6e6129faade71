// An initializer of the host's own, against ours: how much the start decides.
#include "custom_initializer.hpp"

#include <basin/basin.hpp>

#include <cstdio>

int main() {
  const basin::Matrix<float> weight = basin::Matrix<float>::Random(128, 256);
  basin::GramAccumulator gram(256);
  gram.add(basin::Matrix<float>(basin::Matrix<float>::Random(1024, 256)));

  const basin::Scheme scheme{2, 6, 8};
  const auto show = [&](const char* name, auto init) {
    const basin::Quantizer quantizer(basin::ConditionalBlocks{}, init, basin::JointBeam{}, basin::LeastSquares{});
    const auto report = quantizer.quantize(weight, gram.hessian(), scheme).report;
    std::printf("%-14s after init %.4f, at the end %.4f\n", name, report.relative_error_after_init, report.relative_error);
    return report.relative_error;
  };
  const double random = show("random", host::RandomStart{});
  show("greedy", basin::Greedy{});
  const double oa_em = show("OA-EM", basin::OaEm{});
  return oa_em < random ? 0 : 1;
}
