// Y = X What^T for many inputs, their preparation inside the time.
//   dequantize_matmul/<scheme>/<precision>/<arch>/<n_out>x<n_in>/<batch>[/cold]
#include <basin/kernels/dequantize_matmul.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"
#include "support/packed_layer.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::KernelSet;
using basin::kernels::MatmulKernels;

struct Precision {
  const char* name;
  MatmulKernels KernelSet::* member;
  double largest_error;  ///< relative L2 error that nothing but a mistake exceeds
};
constexpr Precision precisions[] = {{"exact", &KernelSet::matmul_exact, 1e-5},
                                    {"int16", &KernelSet::matmul_int16, 2e-3},
                                    {"int8", &KernelSet::matmul_int8, 3e-2}};

class Matmul {
 public:
  Matmul(const MatmulKernels& kernels, const basin::PackedLayer& layer, const float* x, std::ptrdiff_t batch)
      : kernels_(kernels),
        batch_(batch),
        x_(x),
        workspace_(kernels.workspace_size(layer, batch)),
        scratch_(kernels.scratch_size(layer, batch)),
        y(static_cast<std::size_t>(batch * layer.n_out)) {}
  void operator()(const basin::PackedLayer& layer) {
    kernels_.prepare(layer, x_, layer.n_in, batch_, 0, batch_, workspace_.data());
    kernels_.run(layer, workspace_.data(), batch_, 0, layer.n_out, y.data(), layer.n_out, scratch_.data());
  }

 private:
  MatmulKernels kernels_;
  std::ptrdiff_t batch_;
  const float* x_;
  bench::Buffer<std::byte> workspace_, scratch_;

 public:
  bench::Buffer<float> y;  ///< [batch, n_out]
};

/// Inputs, and the outputs of some of them: in double and by the scalar path.
struct Problem {
  static constexpr std::ptrdiff_t checked = 4;  ///< inputs with a reference, the first ones
  basin::Scheme scheme;
  bench::Shape shape;
  std::ptrdiff_t batch;
  bench::Buffer<float> x;
  std::vector<double> y;  ///< [checked, n_out]
  std::vector<double> dense_y;  ///< [batch, n_out]: the decoded weight in fp32 products
};

const Problem& problem(const basin::Scheme& scheme, const bench::Shape& shape, std::ptrdiff_t batch) {
  static std::unique_ptr<Problem> kept;
  if (kept != nullptr && kept->scheme == scheme && kept->shape == shape && kept->batch == batch) return *kept;
  kept = std::make_unique<Problem>(Problem{scheme, shape, batch, bench::normal_floats(static_cast<std::size_t>(batch * shape.n_in), 21), {}, {}});
  const bench::PackedBenchLayer& layer = bench::packed_bench_layer(scheme, shape);
  basin::Matrix<float> weight(shape.n_out, shape.n_in);
  basin::kernels::available_kernels().front().dequantize_fp32(layer.packed, 0, shape.n_out, 0, shape.n_in, weight.data(), shape.n_in);
  const basin::ConstMatrixMap<float> x(kept->x.data(), batch, shape.n_in);
  const basin::Matrix<float> dense = x * weight.transpose();
  for (Eigen::Index i = 0; i < dense.size(); ++i) kept->dense_y.push_back(static_cast<double>(dense.data()[i]));
  for (Eigen::Index n = 0; n < std::min(batch, Problem::checked); ++n)
    for (Eigen::Index o = 0; o < shape.n_out; ++o)
      kept->y.push_back(weight.row(o).cast<double>().dot(x.row(n).cast<double>()));
  return *kept;
}

void dequantize_matmul(benchmark::State& state, const basin::Scheme& scheme, const bench::Shape& shape, const KernelSet& set,
                       const Precision& precision, std::ptrdiff_t batch, bool is_cold) {
  bench::PackedBenchLayer& layer = bench::packed_bench_layer(scheme, shape);
  const Problem& wanted = problem(scheme, shape, batch);
  Matmul product(set.*precision.member, layer.packed, wanted.x.data(), batch);
  product(layer.packed);
  if (!(bench::relative_l2_error(product.y.data(), wanted.dense_y.data(), product.y.size()) <= precision.largest_error))
    return bench::skip(state, "differs from the product of the decoded weight");
  Matmul scalar(basin::kernels::available_kernels().front().*precision.member, layer.packed, wanted.x.data(), std::min(batch, Problem::checked));
  scalar(layer.packed);
  const std::vector<double> scalar_y(scalar.y.begin(), scalar.y.end());
  if (!(bench::relative_l2_error(product.y.data(), scalar_y.data(), scalar_y.size()) <= precision.largest_error))
    return bench::skip(state, "differs from the scalar reference");

  bench::CallTimes times;
  for (auto _ : state) {
    const basin::PackedLayer now = is_cold ? layer.cold() : layer.packed;
    times.measure([&] { product(now); });
  }
  const bench::Baseline& baseline = bench::sgemm_baseline(shape, batch);
  const double inputs = static_cast<double>(batch);
  state.counters["x_sgemm"] = baseline.fastest() / times.median();
  state.counters["x_eigen_sgemm"] = baseline.eigen / times.median();
  if (baseline.openblas > 0) state.counters["x_openblas_sgemm"] = baseline.openblas / times.median();
  state.counters["x_sgemv"] = inputs * bench::sgemv_baseline(shape).eigen / times.median();
  state.counters["of_read_limit"] = (is_cold ? layer.limit().cold : layer.limit().warm) / times.median();
  state.counters["weights_per_ns"] = inputs * shape.num_weights() / times.median();
  state.counters["relative_l2_error"] = bench::relative_l2_error(product.y.data(), wanted.y.data(), wanted.y.size());
  state.counters["bytes_per_weight"] = layer.bytes_per_weight();
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}, {11008, 4096}}))
    for (const basin::Scheme& scheme : bench::kernel_schemes)
      for (const std::ptrdiff_t batch : {1, 32, 512})
        for (const KernelSet& set : bench::kernel_paths())
          for (const Precision& precision : precisions)
            for (const bool is_cold : {false, true})
              bench::add(bench::text("dequantize_matmul/", basin::to_string(scheme), '/', precision.name, '/', set.arch, '/', to_string(shape),
                                     '/', batch, is_cold ? "/cold" : ""),
                         [scheme, shape, &set, &precision, batch, is_cold](benchmark::State& state) {
                           dequantize_matmul(state, scheme, shape, set, precision, batch, is_cold);
                         })
                  ->Unit(benchmark::kMillisecond);
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
