// Quantizes the linear layers of a Llama-architecture model, block by block. Every layer is
// calibrated on what the quantized layers before it produce, and makes up for their errors.
#include "../support/console.hpp"
#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/quantize_options.hpp"
#include "../support/report_json.hpp"
#include "../support/thread_pool.hpp"
#include "aqlm_model.hpp"
#include "calibration.hpp"
#include "load.hpp"
#include "text_file.hpp"

#include <basin/metric/compensated_weight.hpp>
#include <basin/pipeline/store.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {
using basin::Index;

struct BlockRange {
  Index first, last;
};

/// "3-7" or "3": blocks to quantize, both ends included.
BlockRange parse_blocks(const std::string& text, Index num_blocks) {
  const auto number = [&](std::string_view part) {
    Index value = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc{} && end == part.data() + part.size() ? value : Index{-1};
  };
  const std::size_t dash = text.find('-');
  const BlockRange range{number(std::string_view(text).substr(0, dash)),
                         dash == std::string::npos ? number(text) : number(std::string_view(text).substr(dash + 1))};
  if (range.first < 0 || range.last < range.first || range.last >= num_blocks)
    support::fail("--blocks ", text, ": expected a-b with 0 <= a <= b < ", num_blocks, ", the model's number of blocks");
  return range;
}

/// The whole run in one object: what it was asked, how long it took, how well it went.
struct Summary {
  double calibration_seconds = 0, quantization_seconds = 0;
  double weights = 0, bits = 0, after_init = 0, final_error = 0;
  std::size_t layers = 0;

  void add(const basin::QuantizationReport& report) {
    const double size = static_cast<double>(report.n_out) * static_cast<double>(report.n_in);
    weights += size;
    bits += size * report.bits_per_weight.total();
    after_init += report.relative_error_after_init;
    final_error += report.relative_error;
    quantization_seconds += report.seconds.total;
    ++layers;
  }
  [[nodiscard]] double per_layer(double sum) const { return sum / static_cast<double>(layers); }
};
}  // namespace

int main(int argc, char** argv) {
  std::string model_path, text_path, out_path, blocks_text;
  int tokens_wanted = 32768, context_length = 1024, threads = 0;
  basin::Compensation compensation;
  std::optional<double> strength;
  llama::RunFormat run;
  support::QuantizeOptions options;
  CLI::App app("Quantizes a model's linear layers to 2-3 bits per weight", "quantize_model");
  app.add_option("--model", model_path, "GGUF file, or directory in AQLM layout")->required();
  app.add_option("--calibration", text_path, "UTF-8 text to calibrate on")->required();
  app.add_option("--tokens", tokens_wanted, "calibration tokens at most (32768)")->check(CLI::Range(2, 1 << 30));
  app.add_option("--context", context_length, "tokens per calibration window (1024)")->check(CLI::Range(2, 1 << 20));
  options.add_to(app);
  app.add_option("--compensate", strength, "how far each layer makes up for errors before it, 0 to 1 (1; 0 with gptaq, which does so its way)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--compensation-damping", compensation.damping, "relative damping of that (0.01)")->check(CLI::Range(0.0, 1e6));
  app.add_option("--activation-bits", run.activation_bits, "qift: inputs of quantized layers in 4, 8 or 16 bits (16)")
      ->check(CLI::IsMember({4, 8, 16}));
  app.add_option("--kv-bits", run.kv_bits, "qift: keys and values in 4 or 16 bits (16)")->check(CLI::IsMember({4, 16}));
  app.add_option("--blocks", blocks_text, "quantize blocks a to b only, as a-b (all)");
  app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
  app.add_option("--out", out_path, "directory for the quantized model and one report per layer")->required();

  return support::run_program(app, argc, argv, [&] {
    const bool qift = options.is_qift();
    if (!qift && (run.activation_bits != 16 || run.kv_bits != 16))
      support::fail("--activation-bits and --kv-bits: of --method qift only");
    const auto quantizer = qift ? support::LayerQuantizer() : options.quantizer();
    const auto level_quantizer = qift ? options.level_quantizer() : support::LevelLayerQuantizer();
    const basin::Scheme scheme = options.scheme();
    run.rotation_seed = options.level_options().rotation_seed(options.seed());
    const bool asymmetric = qift && options.level_options().is_asymmetric();
    compensation.strength = strength.value_or(asymmetric ? 0 : 1);
    const std::filesystem::path folder = out_path, reports = folder / "reports";
    std::error_code error;
    std::filesystem::create_directories(reports, error);
    if (error) support::fail(reports.string(), ": cannot create the directory: ", error.message());

    llama::LoadedModel loaded = llama::load_model(model_path);
    llama::Model& model = loaded.model;
    const Index num_blocks = static_cast<Index>(model.blocks.size());
    const BlockRange range = blocks_text.empty() ? BlockRange{0, num_blocks - 1} : parse_blocks(blocks_text, num_blocks);
    std::vector<llama::Token> tokens = loaded.tokenizer.encode(llama::read_text(text_path));
    tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(tokens_wanted)));

    support::ThreadPool pool(threads);
    const basin::RunContext context{.executor = pool};
    const llama::Stages original_stages(model.config, context_length, pool);
    model.config.kv_bits = run.kv_bits;
    const llama::Stages stages(model.config, context_length, pool);
    llama::Calibration calibration(model, stages, tokens, context_length);
    std::optional<llama::Calibration> reference;  // the original model's own windows
    support::ProgressLine progress("quantize");
    const support::Stopwatch watch;
    llama::QuantizedLayers layers;
    Summary summary;
    const double total = static_cast<double>((range.last + 1) * static_cast<Index>(llama::num_parts));
    for (Index b = 0; b <= range.last; ++b) {
      llama::Block& block = model.blocks[static_cast<std::size_t>(b)];
      const llama::Block original = block;
      if (b == range.first && (compensation.strength > 0 || asymmetric)) reference.emplace(calibration, original_stages);
      for (const llama::Stage stage : llama::all_stages) {
        const bool quantizes = b >= range.first && !llama::parts_behind(stage).empty();
        llama::StageTargets targets(stage, original, compensation, asymmetric);
        if (reference) reference->advance(stage, original);
        calibration.advance(stage, block, [&](std::size_t window) {
          if (!quantizes) return;
          targets.add(calibration.input(window), context);
          if (reference) targets.compare(*reference, calibration, window, context);
        });
        if (!quantizes) continue;
        const basin::Matrix<double> hessian = targets.hessian();
        const auto drift = targets.drift();
        for (const llama::Part part : llama::parts_behind(stage)) {
          const std::string name = llama::part_name(b, part);
          const llama::Matrix target = targets.target(part, hessian, context);
          basin::QuantizationReport report;
          if (qift) {
            auto quantized = level_quantizer({target, hessian, drift ? &*drift : nullptr, {}}, context);
            layers[name] = basin::store(quantized.weight);
            block.parts[part] = llama::Linear(quantized.weight.decode(context), llama::InputPath(target.cols(), run));
            report = std::move(quantized.report);
          } else {
            auto quantized = quantizer(target, hessian, scheme, context);
            const basin::AdditiveLayer stored = basin::store(quantized.weight);
            block.parts[part] = llama::Linear(stored);
            layers[name] = stored;
            report = std::move(quantized.report);
          }
          support::write_json(reports / (name + ".json"), support::to_json(report));
          summary.add(report);
          char note[160];
          std::snprintf(note, sizeof note, "%s  error %.4f after init, %.4f", name.c_str(), report.relative_error_after_init,
                        report.relative_error);
          const Index done = b * static_cast<Index>(llama::num_parts) + static_cast<Index>(part) + 1;
          progress.update(static_cast<double>(done) / total, note);
        }
      }
    }
    summary.calibration_seconds = watch.seconds() - summary.quantization_seconds;
    llama::write_aqlm_model(folder, model, loaded.tokenizer.vocabulary(),
                            qift ? llama::ModelFormat(run) : llama::ModelFormat(scheme), layers);
    const nlohmann::json figures = {{"layers", summary.layers},
                                    {"bits_per_weight", summary.bits / summary.weights},
                                    {"mean_error_after_init", summary.per_layer(summary.after_init)},
                                    {"mean_error", summary.per_layer(summary.final_error)},
                                    {"calibration_tokens", calibration.num_windows() * static_cast<std::size_t>(context_length)},
                                    {"compensation", compensation.strength},
                                    {"calibration_seconds", summary.calibration_seconds},
                                    {"quantization_seconds", summary.quantization_seconds},
                                    {"peak_rss_bytes", support::peak_rss_bytes()}};
    support::write_json(folder / "summary.json", figures);
    std::printf("%zu layers at %.3f bits/weight, mean relative error %.4f after init, %.4f as stored; "
                "%.0f s quantizing, %.0f s calibrating\n",
                summary.layers, summary.bits / summary.weights, summary.per_layer(summary.after_init),
                summary.per_layer(summary.final_error), summary.quantization_seconds, summary.calibration_seconds);
  });
}
