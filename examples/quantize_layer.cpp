// Quantizes one linear layer: weight and Hessian from .npy files, codes to an AQLM-layout
// safetensors file, and a report that says how well and how fast.
#include "support/console.hpp"
#include "support/output_file.hpp"
#include "support/program.hpp"
#include "support/quantize_options.hpp"
#include "support/report_json.hpp"
#include "support/thread_pool.hpp"

#include <basin/io/aqlm.hpp>
#include <basin/io/npy.hpp>
#include <basin/io/safetensors_writer.hpp>
#include <basin/pipeline/store.hpp>

#include <cstdio>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {
template <class T>
basin::Matrix<T> read_matrix(const std::string& path) {
  const basin::NpyArray<T> array = support::take(basin::read_npy<T>(path));
  if (array.shape.size() != 2)
    support::fail(path, ": must hold a matrix, but has ", array.shape.size(), " dimensions; save a 2-d array");
  return basin::ConstMatrixMap<T>(array.data.data(), array.shape[0], array.shape[1]);
}
}  // namespace

int main(int argc, char** argv) {
  std::string weight_path, hessian_path, out_path, decoded_path, report_path, name = "layer";
  int threads = 1;
  support::QuantizeOptions options;
  CLI::App app("Quantizes one linear layer to 2-3 bits per weight", "quantize_layer");
  app.add_option("--weight", weight_path, "W.npy, [n_out, n_in]")->required();
  app.add_option("--hessian", hessian_path, "H.npy = X^T X / tokens, [n_in, n_in]")->required();
  options.add_to(app);
  app.add_option("--threads", threads, "threads; 0 for one per processor (1)")->check(CLI::Range(0, 4096));
  app.add_option("--name", name, "name of the layer in --out (layer)");
  app.add_option("--out", out_path, "write codes, codebooks and scales as safetensors");
  app.add_option("--decoded", decoded_path, "write the decoded weight as .npy");
  app.add_option("--report", report_path, "write the report as JSON");

  return support::run_program(app, argc, argv, [&] {
    const auto quantizer = options.quantizer();
    const basin::Scheme scheme = options.scheme();
    for (const std::string& path : {out_path, decoded_path, report_path}) support::check_output(path);
    const auto weight = read_matrix<float>(weight_path);
    const auto hessian = read_matrix<double>(hessian_path);

    support::ThreadPool pool(threads);
    support::ProgressLine progress("quantize");
    basin::RunContext context{.executor = pool};
    context.progress = [&](const basin::Progress& at) {
      std::string note(at.stage);
      if (at.relative_error >= 0) note += basin::concat(" ", at.step + 1, ", error ", static_cast<float>(at.relative_error));
      progress.show(note);
    };
    const auto [quantized, report] = quantizer(weight, hessian, scheme, context);

    if (!out_path.empty()) {
      basin::SafetensorsWriter writer;
      support::check(basin::add_aqlm_layer(writer, name, basin::store(quantized)));
      support::check(writer.write(out_path));
    }
    if (!decoded_path.empty()) {
      const basin::Matrix<float> decoded = quantized.decode(context).leftCols(weight.cols());
      const std::vector<std::int64_t> shape{decoded.rows(), decoded.cols()};
      const std::span<const float> values(decoded.data(), static_cast<std::size_t>(decoded.size()));
      support::check(basin::write_npy<float>(decoded_path, shape, values));
    }
    if (!report_path.empty()) support::write_json(report_path, support::to_json(report));
    std::printf("%s  rho %.3g  bits/weight %.4f  relative error %.5f after init, %.5f as stored  (%ld epochs, %.2f s)\n",
                report.scheme.c_str(), report.rho, report.bits_per_weight.total(), report.relative_error_after_init,
                report.relative_error, static_cast<long>(report.epochs), report.seconds.total);
  });
}
