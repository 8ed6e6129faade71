#pragma once

#include <basin/codebook/concepts.hpp>
#include <basin/codebook/gradient.hpp>

#include <cmath>
#include <cstdint>

namespace basin {
/// Adam on codebooks and scales with codes fixed, the updater of the AQLM code; kept for parity.
///
///     minimise L / n_out;  moments live from epoch to epoch, amsgrad takes the largest second moment
///
/// Cost      steps * n_out * n_in^2 multiply-adds per call.
/// Source    AQLM, arXiv:2401.06118.
class AdamUpdate {
 public:
  struct Options {
    int steps = 100;
    double learning_rate = 1e-4;
    double beta1 = 0.0;
    double beta2 = 0.95;
    double epsilon = 1e-8;
  };
  AdamUpdate() = default;
  explicit AdamUpdate(const Options& options) : options_(options) {}

  template <class T>
  void update(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, const RunContext& context = {}) {
    const double per_row = 1.0 / static_cast<double>(layer.n_out());
    for (int step = 0; step < options_.steps; ++step) {
      context.check_stop();
      const AdditiveGradient<T> gradient = objective_gradient(layer, weight, context);
      ++count_;
      apply(gradient.codewords * per_row, codewords_, weight.codebooks.values());
      apply(gradient.scales * per_row, scales_, weight.scales);
    }
  }

 private:
  struct Moments {
    Matrix<double> mean, square, largest;
  };
  template <class Parameters>
  void apply(const Matrix<double>& gradient, Moments& moments, Parameters& parameters) const {
    if (moments.mean.size() != gradient.size()) {
      moments.mean = Matrix<double>::Zero(gradient.rows(), gradient.cols());
      moments.square = moments.largest = moments.mean;
    }
    moments.mean = options_.beta1 * moments.mean + (1 - options_.beta1) * gradient;
    moments.square = options_.beta2 * moments.square + (1 - options_.beta2) * gradient.cwiseAbs2();
    moments.largest = moments.largest.cwiseMax(moments.square);
    const double debias1 = 1 - std::pow(options_.beta1, static_cast<double>(count_));
    const double debias2 = std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(count_)));
    const double rate = options_.learning_rate / debias1;
    const Matrix<double> step =
        rate * moments.mean.array() / (moments.largest.array().sqrt() / debias2 + options_.epsilon);
    parameters -= step.template cast<typename Parameters::Scalar>();
  }

  Options options_;
  std::int64_t count_ = 0;
  Moments codewords_, scales_;
};
static_assert(Updater<AdamUpdate>);

}  // namespace basin
