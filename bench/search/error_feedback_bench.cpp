// Error feedback over a layer, two bits per weight, beside the fp32 product of as many multiply-adds.
//   error_feedback/mnz/fp32/native/<n_out>x<n_in>    feedback_factor/...    gptq/... (both)    level_beam/.../beam<size>    subset_beam/.../beam<size>    refinement/...
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/coordinate_refinement.hpp>
#include <basin/search/error_feedback.hpp>
#include <basin/search/level_beam.hpp>
#include <basin/search/subset_beam.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "support/bench.hpp"

namespace {
using basin::Index;
namespace bench = basin::bench;
using Weight = basin::LevelWeight<float>;

/// A layer whose neighboring inputs are correlated, and codes of the nearest levels.
struct Problem {
  basin::Matrix<float> weight;
  basin::Matrix<double> hessian;
  Weight nearest;

  explicit Problem(const bench::Shape& shape) : weight(shape.n_out, shape.n_in), hessian(shape.n_in, shape.n_in) {
    const bench::Buffer<float> values = bench::normal_floats(static_cast<std::size_t>(shape.n_out * shape.n_in), 3);
    weight = basin::ConstMatrixMap<float>(values.data(), shape.n_out, shape.n_in);
    for (Index i = 0; i < shape.n_in; ++i)
      for (Index j = 0; j < shape.n_in; ++j) hessian(i, j) = std::pow(0.7, std::abs(static_cast<double>(i - j)));
    const auto& levels = basin::MirrorNoZero::values;
    nearest = {{levels.begin(), levels.end()}, basin::Matrix<std::uint8_t>(shape.n_out, shape.n_in),
               basin::Vector<float>::Ones(shape.n_out), {}};
    Eigen::MatrixXf quantized(shape.n_out, shape.n_in);
    basin::LevelQuantizer<float>{nearest}(0, 0, Eigen::MatrixXf(weight), quantized);
  }
  [[nodiscard]] double loss(const Weight& codes) const {
    const basin::Matrix<double> error = (weight - codes.decode()).cast<double>();
    return (error * hessian).cwiseProduct(error).sum();
  }
};
const Problem& problem(const bench::Shape& shape) {
  static std::map<bench::Shape, Problem> problems;
  return problems.try_emplace(shape, shape).first->second;
}

/// Nanoseconds of an sgemm of n_out n_in^2 / 2 multiply-adds.
double product_of_updates(const bench::Shape& shape) {
  return bench::sgemm_baseline(shape, shape.n_in / 2).fastest();
}

void feedback(benchmark::State& state, const bench::Shape& shape) {
  const Problem& layer = problem(shape);
  const basin::FeedbackFactor<float> factor(layer.hessian);
  Weight found = layer.nearest;
  const double losses = basin::error_feedback<float>(layer.weight, factor, basin::LevelQuantizer<float>(found)).sum();
  const basin::Matrix<double> error = (layer.weight - found.decode()).cast<double>();
  const double loss = layer.loss(found) + factor.damping() * error.squaredNorm();
  if (!(std::abs(losses - loss) <= 1e-4 * loss)) return bench::skip(state, "the losses differ from those of the codes");
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] { basin::error_feedback<float>(layer.weight, factor, basin::LevelQuantizer<float>(found)); });
  state.counters["weights_per_us"] = shape.num_weights() / times.median() * 1e3;
  state.counters["of_sgemm"] = times.median() / product_of_updates(shape);
}

void factorize(benchmark::State& state, const bench::Shape& shape) {
  const Problem& layer = problem(shape);
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { basin::FeedbackFactor<float> factor(layer.hessian); });
  state.counters["of_sgemm"] = times.median() / product_of_updates(shape);
}

/// The whole of GPTQ, beside the fp32 product of all the multiply-adds it needs: n_out n_in^2 / 2 + n_in^3 / 6.
void gptq(benchmark::State& state, const bench::Shape& shape) {
  const Problem& layer = problem(shape);
  Weight found = layer.nearest;
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] {
      const basin::FeedbackFactor<float> factor(layer.hessian);
      basin::error_feedback<float>(layer.weight, factor, basin::LevelQuantizer<float>(found));
    });
  if (!(layer.loss(found) < layer.loss(layer.nearest))) return bench::skip(state, "the loss is not below that of rounding");
  state.counters["weights_per_us"] = shape.num_weights() / times.median() * 1e3;
  const double of_updates = static_cast<double>(shape.n_in) / (3 * static_cast<double>(shape.n_out));
  state.counters["of_sgemm"] = times.median() / ((1 + of_updates) * product_of_updates(shape));
}

template <class Search>
void search(benchmark::State& state, const bench::Shape& shape, const Search& searcher) {
  const Problem& layer = problem(shape);
  const basin::LayerObjective<float> objective(layer.weight, layer.hessian, 1);
  Weight found = layer.nearest;
  searcher.search(objective, found, 0, 0);
  const double before = layer.loss(layer.nearest), after = layer.loss(found);
  if (!(after < before)) return bench::skip(state, "the search does not lower the loss");
  bench::CallTimes times;
  for (auto _ : state) {
    state.PauseTiming();
    found = layer.nearest;
    state.ResumeTiming();
    times.measure([&] { searcher.search(objective, found, 0, 0); });
  }
  state.counters["weights_per_us"] = shape.num_weights() / times.median() * 1e3;
  state.counters["start_error"] = objective.relative_error(before);
  state.counters["relative_error"] = objective.relative_error(after);
  state.counters["of_sgemm"] = times.median() / product_of_updates(shape);
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}})) {
    const auto add = [&shape](const std::string& operation, const std::string& options, auto function) {
      bench::add(bench::text(operation, "/mnz/fp32/native/", to_string(shape), options),
                 [function, shape](benchmark::State& state) { function(state, shape); })
          ->Unit(benchmark::kMillisecond);
    };
    add("error_feedback", "", feedback);
    add("feedback_factor", "", factorize);
    add("gptq", "", gptq);
    add("refinement", "", [](benchmark::State& state, const bench::Shape& s) {
      search(state, s, basin::CoordinateRefinement{});
    });
    for (const int beam_size : {1, 4, 8, 16})
      add("level_beam", bench::text("/beam", beam_size), [beam_size](benchmark::State& state, const bench::Shape& s) {
        search(state, s, basin::LevelBeam{.beam_size = beam_size, .sweeps = 0});
      });
    for (const int beam_size : {1, 4, 8})
      add("subset_beam", bench::text("/beam", beam_size), [beam_size](benchmark::State& state, const bench::Shape& s) {
        search(state, s, basin::SubsetBeam{.beam_size = beam_size, .passes = 1});
      });
  }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
