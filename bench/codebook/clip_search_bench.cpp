// The scale search of a weight of normals, and the same by std::pow and branches.
//   clip_search/<set>/<power>/native/<n_out>x<n_in>
#include <basin/codebook/clip_search.hpp>
#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "support/bench.hpp"

namespace {
using basin::ErrorPower;
using basin::Index;
namespace bench = basin::bench;

/// The least sum of one row over all candidates, by the definition.
template <class L>
double plain_error(const float* row, Index n, double exponent) {
  const double reach = static_cast<double>(L::values.back());
  double low = 0, high = 0;
  for (Index i = 0; i < n; ++i) {
    low = std::min(low, static_cast<double>(row[i]));
    high = std::max(high, static_cast<double>(row[i]));
  }
  const bool is_shifted = basin::ShiftedLevelSet<L>;
  const double largest = is_shifted ? (high - low) / reach : std::max(high, -low) / reach;
  const double zero_point = is_shifted ? std::nearbyint(-low / largest) : 0;
  double best = std::numeric_limits<double>::infinity();
  for (int candidate = 0; candidate < 80; ++candidate) {
    const double scale = (1 - candidate / 100.0) * largest;
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
      double least = std::numeric_limits<double>::infinity();
      for (const float level : L::values)
        least = std::min(least, std::abs(static_cast<double>(row[i]) - scale * (static_cast<double>(level) - zero_point)));
      sum += std::pow(least, exponent);
    }
    best = std::min(best, sum);
  }
  return best;
}

template <class L>
void search(benchmark::State& state, const bench::Shape& shape, ErrorPower power) {
  const bench::Buffer<float> values = bench::normal_floats(static_cast<std::size_t>(shape.n_out * shape.n_in), 1);
  const basin::ConstMatrixMap<float> weight(values.data(), shape.n_out, shape.n_in);
  const basin::ClipSearch clip{.power = power};
  const double exponent = power == ErrorPower::squared ? 2 : 2.4;
  double plain = 0;
  for (Index o = 0; o < 4; ++o) {
    const double begin = bench::thread_nanoseconds();
    const double want = plain_error<L>(values.data() + o * shape.n_in, shape.n_in, exponent);
    plain += (bench::thread_nanoseconds() - begin) / 4;
    const basin::Matrix<float> row = weight.row(o);
    if (!(std::abs(clip.search<L, float>(row).errors(0) - want) <= 1e-4 * want))
      return bench::skip(state, "differs from the search by its definition");
  }
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { benchmark::DoNotOptimize(clip.search<L, float>(weight)); });
  state.counters["weights_per_ns"] = shape.num_weights() / times.median();
  state.counters["seconds_per_106M"] = 106e6 / (shape.num_weights() / times.median()) * 1e-9;
  state.counters["x_plain"] = plain * static_cast<double>(shape.n_out) / times.median();
}

template <class L>
void add_set(const bench::Shape& shape) {
  for (const ErrorPower power : {ErrorPower::squared, ErrorPower::power_2_4})
    bench::add(bench::text("clip_search/", L::name, power == ErrorPower::squared ? "/2" : "/2.4", "/native/", to_string(shape)),
               [shape, power](benchmark::State& state) { search<L>(state, shape, power); })
        ->Unit(benchmark::kMillisecond);
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{512, 4096}})) {
    add_set<basin::MirrorNoZero>(shape);
    add_set<basin::SymmetricInteger<2>>(shape);
    add_set<basin::AsymmetricInteger<2>>(shape);
    add_set<basin::SymmetricInteger<4>>(shape);
  }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
