// The shortest way from a weight and its calibration inputs to 2-bit codes.
#include <basin/basin.hpp>

#include <cstdio>

int main() {
  basin::Matrix<float> weight = basin::Matrix<float>::Random(256, 512);    // [n_out, n_in]
  basin::Matrix<float> inputs = basin::Matrix<float>::Random(2048, 512);   // one token per row

  basin::GramAccumulator gram(512);
  gram.add(inputs);
  const auto [quantized, report] = basin::recipes::recommended().quantize(weight, gram.hessian(), basin::Scheme{2, 6, 8});

  std::printf("%.3f bits per weight, relative output error %.4f\n", report.bits_per_weight.total(), report.relative_error);
  const basin::AdditiveLayer stored = basin::store(quantized);  // codes, fp16 codebooks and scales
  return stored.codes.empty();
}
