// One pass of beam search over a layer with correlated inputs, from random codewords' nearest codes.
//   joint_beam/2x8g8/fp32/native/<n_out>x<n_in>/beam<size>    beam/...
#include <basin/core/scheme_text.hpp>
#include <basin/init/greedy.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

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

constexpr basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 8, .in_group_size = 8};

/// A layer, and where searches begin: residual k-means, which does not look at the inputs.
struct Problem {
  basin::LayerObjective<float> layer;
  basin::AdditiveWeight<float> start;
  double start_loss = 0;
};

/// X^T X / tokens of inputs that mix their neighbors and differ in scale.
basin::Matrix<double> correlated_hessian(Index n_in) {
  const Index tokens = 2 * n_in;
  const bench::Buffer<float> values = bench::normal_floats(static_cast<std::size_t>(tokens * n_in), 1);
  basin::Matrix<float> inputs = basin::ConstMatrixMap<float>(values.data(), tokens, n_in);
  const bench::Buffer<float> scales = bench::normal_floats(static_cast<std::size_t>(n_in), 2);
  for (Index j = 1; j < n_in; ++j) inputs.col(j) += 0.7f * inputs.col(j - 1);
  for (Index j = 0; j < n_in; ++j) inputs.col(j) *= std::exp(0.5f * scales[static_cast<std::size_t>(j)]);
  const basin::Matrix<double> gram = (inputs.transpose() * inputs).cast<double>() / static_cast<double>(tokens);
  return 0.5 * (gram + gram.transpose());
}

const Problem& problem(const bench::Shape& shape) {
  static std::map<bench::Shape, Problem> problems;
  const auto found = problems.find(shape);
  if (found != problems.end()) return found->second;
  const bench::Buffer<float> values = bench::normal_floats(static_cast<std::size_t>(shape.n_out * shape.n_in), 3);
  basin::LayerObjective<float> layer(basin::ConstMatrixMap<float>(values.data(), shape.n_out, shape.n_in),
                                     correlated_hessian(shape.n_in), scheme.in_group_size);
  const basin::HessianBlocks blocks = basin::EuclideanBlocks::identity(shape.n_in, scheme.in_group_size);
  basin::AdditiveWeight<float> start =
      basin::Greedy{.max_iterations = 10}.initialize<float>(layer, blocks, scheme, 0, basin::RunContext{});
  const double loss = layer.loss(start.decode());
  return problems.emplace(shape, Problem{std::move(layer), std::move(start), loss}).first->second;
}

template <class Search>
void one_pass(benchmark::State& state, const bench::Shape& shape, int beam_size) {
  const basin::LayerObjective<float>& layer = problem(shape).layer;
  const basin::AdditiveWeight<float>& start = problem(shape).start;
  const double start_loss = problem(shape).start_loss;
  const Search search{.beam_size = beam_size};
  basin::AdditiveWeight<float> weight = start;
  search.search(layer, weight, 0, 0);
  const double loss = layer.loss(weight.decode());
  if (!(loss < start_loss)) return bench::skip(state, "the pass does not lower the loss, summed in double");
  bench::CallTimes times;
  for (auto _ : state) {
    state.PauseTiming();
    weight = start;
    state.ResumeTiming();
    times.measure([&] { search.search(layer, weight, 0, 0); });
  }
  state.counters["rows_per_s"] = static_cast<double>(shape.n_out) / times.median() * 1e9;
  state.counters["weights_per_us"] = shape.num_weights() / times.median() * 1e3;
  state.counters["start_error"] = layer.relative_error(start_loss);
  state.counters["relative_error"] = layer.relative_error(loss);
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{256, 1024}, {576, 576}})) {
    const auto add = [&shape](const char* operation, int beam_size, auto function) {
      bench::add(bench::text(operation, '/', basin::to_string(scheme), "/fp32/native/", to_string(shape), "/beam", beam_size),
                 [function, shape, beam_size](benchmark::State& state) { function(state, shape, beam_size); })
          ->Unit(benchmark::kMillisecond);
    };
    for (const int beam_size : {1, 4, 8}) {
      add("beam", beam_size, one_pass<basin::BeamSearch>);
      add("joint_beam", beam_size, one_pass<basin::JointBeam>);
    }
  }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
