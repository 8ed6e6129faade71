// Two bits per weight without codebooks: mirror no-zero levels of rotated inputs, multiplied in integers.
#include <basin/basin.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

int main() {
  using basin::Index;
  constexpr Index n_out = 256, n_in = 512;
  const basin::Matrix<float> weight = basin::Matrix<float>::Random(n_out, n_in);
  const basin::Matrix<float> inputs = basin::Matrix<float>::Random(2048, n_in);  // one token per row
  basin::GramAccumulator gram(n_in);
  gram.add(inputs);

  // Offline: rotate, choose codes and one scale per row.
  const auto [quantized, report] = basin::recipes::qift(n_in, {.seed = 1}).quantize(weight, gram.hessian(), basin::MirrorNoZero{});
  std::printf("%.3f bits per weight, relative output error %.4f\n", report.bits_per_weight.total(), report.relative_error);

  // In the engine: the rotation of each token, once for all layers that read it, and the decoded weight.
  const basin::HadamardTransform rotation(n_in, {.sign_seed = 1});
  basin::Vector<float> x = inputs.row(0);
  const basin::Vector<float> want = weight * x;
  rotation.apply(x.data());
  const basin::Vector<float> y = quantized.decode() * x;
  std::printf("one token: relative error %.4f\n", (y - want).squaredNorm() / want.squaredNorm());
  return !((y - want).squaredNorm() < 0.5f * want.squaredNorm());
}
