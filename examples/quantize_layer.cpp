// Quantizes one linear layer: weight and Hessian from .npy files, codes to an AQLM-layout
// safetensors file, and a report that says how well and how fast.
#include "support/console.hpp"
#include "support/output_file.hpp"
#include "support/program.hpp"
#include "support/quantize_options.hpp"
#include "support/report_json.hpp"
#include "support/thread_pool.hpp"

#include <basin/io/aqlm.hpp>
#include <basin/io/gguf_writer.hpp>
#include <basin/io/level_checkpoint.hpp>
#include <basin/io/npy.hpp>
#include <basin/io/q2_k.hpp>
#include <basin/io/safetensors_writer.hpp>
#include <basin/pipeline/store.hpp>
#include <basin/transform/hadamard.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {
template <class T>
basin::Matrix<T> read_matrix(const std::string& path) {
  const basin::NpyArray<T> array = support::take(basin::read_npy<T>(path));
  if (array.shape.size() != 2)
    support::fail(path, ": must hold a matrix, but has ", array.shape.size(), " dimensions; save a 2-d array");
  return basin::ConstMatrixMap<T>(array.data.data(), array.shape[0], array.shape[1]);
}

/// What the command line names to be written; empty for what is not wanted.
struct Outputs {
  std::string layer, decoded, gguf, report, name = "layer";
};

void write_decoded(const std::string& path, const basin::Matrix<float>& decoded) {
  const std::vector<std::int64_t> shape{decoded.rows(), decoded.cols()};
  support::check(basin::write_npy<float>(path, shape, std::span<const float>(decoded.data(), static_cast<std::size_t>(decoded.size()))));
}

/// Mirror no-zero levels as Q2_K, one tensor in a GGUF file.
void write_gguf(const Outputs& to, const basin::LevelLayer& layer) {
  std::vector<float> scales;
  for (const std::uint16_t scale : layer.scales) scales.push_back(basin::half_to_float(scale));
  const basin::NoZeroRows rows{layer.n_in, layer.codes, scales};
  std::vector<std::byte> blocks(layer.codes.size() / 256 * 84);
  if (const auto packed = basin::pack_levels(basin::GgufType::q2_k, rows, blocks); !packed)
    support::fail("--export-gguf: layer \"", to.name, "\" of [", layer.n_out, ", ", layer.n_in, "]: ", packed.error().message);
  basin::GgufWriter writer;
  support::check(writer.set("general.architecture", "basin"));
  support::check(writer.add(to.name + ".weight", static_cast<std::uint32_t>(basin::GgufType::q2_k), {layer.n_out, layer.n_in}, std::move(blocks)));
  support::check(writer.write(to.gguf));
}

void quantize_levels(const support::QuantizeOptions& options, basin::ConstMatrixRef<float> weight, basin::ConstMatrixRef<double> hessian,
                     const Outputs& to, const basin::RunContext& context, basin::QuantizationReport& report) {
  const auto seed = options.rotation_seed();
  auto quantized = options.level_quantizer()({weight, hessian, nullptr, {}}, context);
  report = std::move(quantized.report);
  const basin::LevelLayer stored = basin::store(quantized.weight);
  if (!to.gguf.empty()) write_gguf(to, stored);
  if (!to.layer.empty()) {
    basin::SafetensorsWriter writer;
    support::check(basin::add_level_layer(writer, to.name, stored));
    if (seed) support::check(writer.set_metadata("basin.rotation_seed", basin::concat(*seed)));
    support::check(writer.write(to.layer));
  }
  if (to.decoded.empty()) return;
  basin::Matrix<float> decoded = quantized.weight.decode(context);
  if (seed) basin::HadamardTransform(decoded.cols(), {.sign_seed = *seed}).invert(decoded, context);
  write_decoded(to.decoded, decoded);
}

void quantize_additive(const support::QuantizeOptions& options, basin::ConstMatrixRef<float> weight, basin::ConstMatrixRef<double> hessian,
                       const Outputs& to, const basin::RunContext& context, basin::QuantizationReport& report) {
  auto quantized = options.quantizer()(weight, hessian, options.scheme(), context);
  report = std::move(quantized.report);
  if (!to.layer.empty()) {
    basin::SafetensorsWriter writer;
    support::check(basin::add_aqlm_layer(writer, to.name, basin::store(quantized.weight)));
    support::check(writer.write(to.layer));
  }
  if (!to.decoded.empty()) write_decoded(to.decoded, quantized.weight.decode(context).leftCols(weight.cols()));
}
}  // namespace

int main(int argc, char** argv) {
  std::string weight_path, hessian_path;
  Outputs to;
  int threads = 1;
  support::QuantizeOptions options;
  CLI::App app("Quantizes one linear layer to 2-3 bits per weight", "quantize_layer");
  app.add_option("--weight", weight_path, "W.npy, [n_out, n_in]")->required();
  app.add_option("--hessian", hessian_path, "H.npy = X^T X / tokens, [n_in, n_in]")->required();
  options.add_to(app);
  app.add_option("--threads", threads, "threads; 0 for one per processor (1)")->check(CLI::Range(0, 4096));
  app.add_option("--name", to.name, "name of the layer in --out (layer)");
  app.add_option("--out", to.layer, "write codes, scales and codebooks or levels as safetensors");
  app.add_option("--decoded", to.decoded, "write the decoded weight as .npy");
  app.add_option("--export-gguf", to.gguf, "write mirror no-zero levels as Q2_K, of the rotated inputs unless --rotate off");
  app.add_option("--report", to.report, "write the report as JSON");

  return support::run_program(app, argc, argv, [&] {
    if (!options.is_qift()) (void)options.quantizer();  // complains about options before files are read
    if (!to.gguf.empty() && (!options.is_qift() || options.level_options().levels() != "mnz"))
      support::fail("--export-gguf: Q2_K holds the levels of --method qift --levels mnz only");
    for (const std::string& path : {to.layer, to.decoded, to.gguf, to.report}) support::check_output(path);
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
    basin::QuantizationReport report;
    if (options.is_qift()) quantize_levels(options, weight, hessian, to, context, report);
    else quantize_additive(options, weight, hessian, to, context, report);
    if (!to.report.empty()) support::write_json(to.report, support::to_json(report));
    std::printf("%s  rho %.3g  bits/weight %.4f  relative error %.5f after init, %.5f as stored  (%ld epochs, %.2f s)\n",
                report.scheme.c_str(), report.rho, report.bits_per_weight.total(), report.relative_error_after_init,
                report.relative_error, static_cast<long>(report.epochs), report.seconds.total);
  });
}
