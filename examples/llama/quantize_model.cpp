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
#include "calibration_inputs.hpp"
#include "fused_model.hpp"
#include "gguf_output.hpp"
#include "load.hpp"
#include "model_report.hpp"
#include "original_hessians.hpp"
#include "part_quantizer.hpp"
#include "sensitivity.hpp"
#include "text_file.hpp"

#include <basin/metric/compensated_weight.hpp>
#include <basin/pipeline/mixed_precision.hpp>
#include <basin/transform/gaussianity.hpp>

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
using llama::Stage;

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

struct Arguments {
  std::string model, text, out, blocks, hessians = "quantized", hessian_folder, gguf, gguf_type = "q8_0";
  int tokens = 32768, window = 1024, threads = 0;
  basin::Compensation compensation;
  std::optional<double> strength;
  llama::RunFormat run;
  support::QuantizeOptions quantize;
  std::optional<Index> num_high;
  llama::SensitivityRule rule = llama::SensitivityRule::kl;
  int rule_tokens = 2048;
  bool measures_gaussianity = false;

  void add_to(CLI::App& app) {
    app.add_option("--model", model, "GGUF file, or directory in AQLM layout")->required();
    app.add_option("--calibration", text, "UTF-8 text to calibrate on")->required();
    app.add_option("--tokens", tokens, "calibration tokens at most (32768)")->check(CLI::Range(2, 1 << 30));
    app.add_option("--context", window, "tokens per calibration window (1024)")->check(CLI::Range(2, 1 << 20));
    quantize.add_to(app);
    app.add_option("--hessians", hessians, "of the inputs behind quantized layers, or of the original model's (quantized)")
        ->check(CLI::IsMember({"quantized", "original"}));
    app.add_option("--hessian-cache", hessian_folder, "directory that keeps the original model's Hessians for other runs");
    app.add_option("--compensate", strength,
                   "how far each layer makes up for errors before it, 0 to 1 (1; 0 with gptaq, which does so its way, and\n"
                   "with the original model's Hessians)")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--compensation-damping", compensation.damping, "relative damping of that (0.01)")->check(CLI::Range(0.0, 1e6));
    app.add_option("--activation-bits", run.activation_bits, "qift: inputs of quantized layers in 4, 8 or 16 bits (16)")
        ->check(CLI::IsMember({4, 8, 16}));
    app.add_option("--kv-bits", run.kv_bits, "qift: keys and values in 4 or 16 bits (16)")->check(CLI::IsMember({4, 16}));
    app.add_option("--mixed", num_high, "qift: 4-bit integers in the blocks that need them most, this many")->check(CLI::NonNegativeNumber);
    const std::vector<std::pair<std::string, llama::SensitivityRule>> rules{
        {"kl", llama::SensitivityRule::kl}, {"loss", llama::SensitivityRule::loss}, {"output", llama::SensitivityRule::output}};
    app.add_option("--mixed-rule", rule,
                   "what tells which: kl of the predictions, loss of the layers, or error of the block's output (kl)")
        ->transform(CLI::Transformer(rules))
        ->type_name("TEXT:{kl,loss,output}");
    app.add_option("--mixed-tokens", rule_tokens, "calibration tokens that tell (2048)")->check(CLI::Range(2, 1 << 30));
    app.add_flag("--gaussianity", measures_gaussianity, "report how far weights are from Gaussians, before and behind the rotation");
    app.add_option("--export-gguf", gguf,
                   "qift: also a GGUF file for llama.cpp, mirror no-zero levels as Q2_K; a rotation then becomes part of the weights");
    app.add_option("--export-type", gguf_type, "of what Q2_K does not hold in it (q8_0)")->check(CLI::IsMember({"q8_0", "f16"}));
    app.add_option("--blocks", blocks, "quantize blocks a to b only, as a-b (all)");
    app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
    app.add_option("--out", out, "directory for the quantized model and one report per layer")->required();
  }

  [[nodiscard]] bool is_original() const noexcept { return hessians == "original"; }
  [[nodiscard]] bool is_asymmetric() const noexcept { return quantize.is_qift() && quantize.level_options().is_asymmetric(); }
  /// Llama.cpp runs no transform of inputs, so that of the weights is another one.
  [[nodiscard]] bool fuses_rotation() const { return !gguf.empty() && quantize.rotation_seed().has_value(); }

  /// What follows from several options together.
  void settle() {
    if (!quantize.is_qift() && (run.activation_bits != 16 || run.kv_bits != 16 || num_high || !gguf.empty() || measures_gaussianity))
      support::fail("--activation-bits, --kv-bits, --mixed, --gaussianity and --export-gguf: of --method qift only");
    if (!gguf.empty() && std::filesystem::is_directory(model))
      support::fail("--export-gguf: copies what it does not quantize from the model's GGUF file, but ", model, " is a directory");
    if (is_original() && (strength.value_or(0) > 0 || is_asymmetric()))
      support::fail("--hessians original: nothing is known then of the errors that --compensate and gptaq make up for");
    if (!is_original() && !num_high && !hessian_folder.empty())
      support::fail("--hessian-cache: the original model's Hessians are wanted only with --hessians original or --mixed");
    compensation.strength = strength.value_or(is_asymmetric() || is_original() ? 0 : 1);
    if (!fuses_rotation()) run.rotation_seed = quantize.rotation_seed();
    support::check_output(gguf);
  }
  [[nodiscard]] llama::PartQuantizer quantizer() const {
    if (!quantize.is_qift()) return llama::additive_part_quantizer(quantize.quantizer(), quantize.scheme());
    return llama::level_part_quantizer(quantize.level_quantizer(quantize.level_options(), run.rotation_seed), run);
  }
  /// One that is quick, to see what few bits do.
  [[nodiscard]] llama::PartQuantizer trial_quantizer(const char* way) const {
    const support::LevelOptions options = quantize.level_options().with_compensation(way);
    return llama::level_part_quantizer(quantize.level_quantizer(options, run.rotation_seed), run);
  }
};

/// Level sets of blocks, and how they were chosen.
struct BlockLevels {
  static constexpr const char* high = "int4";
  std::vector<std::string> levels;  ///< one per block
  nlohmann::json report;
};

/// Many bits for those blocks of a range that need them most.
BlockLevels choose_levels(const Arguments& arguments, const BlockRange& range, const llama::Model& model, const llama::Stages& stages,
                          std::span<const llama::Token> tokens, const basin::RunContext& context) {
  const std::string& low = arguments.quantize.level_options().levels();
  BlockLevels chosen{std::vector<std::string>(model.blocks.size(), low), nullptr};
  if (!arguments.num_high) return chosen;
  const auto sample = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(arguments.rule_tokens)));
  const Index window = std::min<Index>(arguments.window, arguments.rule_tokens);
  llama::OriginalHessians hessians(model, stages, tokens, arguments.window, range.last + 1, arguments.hessian_folder);
  llama::Sensitivities sensitivities(model, stages, llama::Calibration(model, stages, sample, window), arguments.rule);
  const llama::PartQuantizer quantizer = arguments.trial_quantizer("gptq"), rough = arguments.trial_quantizer("rtn");
  support::ProgressLine progress("sensitivity");
  std::vector<basin::PrecisionCandidate> candidates;
  for (Index b = 0; b <= range.last; ++b) {
    const llama::BlockHessians block = hessians.next(model.blocks[static_cast<std::size_t>(b)], context);
    if (b < range.first) {
      sensitivities.skip();
      continue;
    }
    candidates.push_back(sensitivities.next(block, quantizer, rough, low, BlockLevels::high, context));
    progress.update(static_cast<double>(b + 1) / static_cast<double>(range.last + 1),
                    basin::concat(candidates.back().name, " ", candidates.back().sensitivity));
  }
  const basin::MixedPrecision mixed = basin::most_sensitive(candidates, *arguments.num_high);
  const auto first = static_cast<std::size_t>(range.first);
  nlohmann::json values = nlohmann::json::array(), order = nlohmann::json::array();
  std::string names;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    values.push_back(candidates[c].sensitivity);
    order.push_back(first + mixed.order[c]);
    if (!mixed.is_high[c]) continue;
    chosen.levels[first + c] = BlockLevels::high;
    names += (names.empty() ? "" : ", ") + std::to_string(first + c);
  }
  std::printf("%zu blocks in 4 bits, %.3f bits/weight in all: %s\n", mixed.num_high(), mixed.bits_per_weight, names.c_str());
  chosen.report = {{"sensitivities", values},
                   {"order", order},
                   {"bits_per_weight", mixed.bits_per_weight},
                   {"sensitivity_left", mixed.sensitivity},
                   {"seconds", progress.seconds()}};
  return chosen;
}

nlohmann::json to_json(const basin::Gaussianity& g) {
  return {{"skewness", g.skewness}, {"excess_kurtosis", g.excess_kurtosis}, {"quantile_error", g.quantile_error}};
}

/// Before and behind the rotation of a layer's inputs.
nlohmann::json gaussianity_report(const llama::Matrix& weight, std::optional<std::uint64_t> rotation_seed, const basin::RunContext& context) {
  nlohmann::json report = {{"weight", to_json(basin::gaussianity<float>(weight, context))}};
  if (!rotation_seed) return report;
  llama::Matrix rotated = weight;
  llama::input_rotation(weight.cols(), *rotation_seed).apply(rotated, context);
  report["rotated"] = to_json(basin::gaussianity<float>(rotated, context));
  return report;
}

/// The whole run in one object: what it was asked, how long it took, how well it went.
struct Summary {
  double quantization_seconds = 0;
  double weights = 0, bits = 0, after_init = 0, final_error = 0, squared_error = 0, squared_norm = 0;
  std::size_t layers = 0;

  void add(const basin::QuantizationReport& report) {
    const double size = static_cast<double>(report.n_out) * static_cast<double>(report.n_in);
    weights += size;
    bits += size * report.bits_per_weight.total();
    after_init += report.relative_error_after_init;
    final_error += report.relative_error;
    squared_error += report.squared_weight_error;
    squared_norm += report.squared_weight_norm;
    quantization_seconds += report.seconds.total;
    ++layers;
  }
  [[nodiscard]] double per_layer(double sum) const { return sum / static_cast<double>(layers); }
};

void quantize_model(Arguments arguments) {
  arguments.settle();
  const llama::PartQuantizer quantizer = arguments.quantizer();
  const std::filesystem::path folder = arguments.out, reports = folder / "reports";
  std::error_code error;
  std::filesystem::create_directories(reports, error);
  if (error) support::fail(reports.string(), ": cannot create the directory: ", error.message());
  std::optional<llama::GgufOutput> gguf;
  if (!arguments.gguf.empty())
    gguf.emplace(arguments.model, arguments.gguf_type == "f16" ? basin::GgufType::f16 : basin::GgufType::q8_0);

  llama::LoadedModel loaded = llama::load_model(arguments.model);
  llama::Model& model = loaded.model;
  const Index num_blocks = static_cast<Index>(model.blocks.size());
  const BlockRange range = arguments.blocks.empty() ? BlockRange{0, num_blocks - 1} : parse_blocks(arguments.blocks, num_blocks);
  if (arguments.num_high && *arguments.num_high > range.last - range.first + 1)
    support::fail("--mixed ", *arguments.num_high, ": ", range.last - range.first + 1, " blocks are quantized");
  std::vector<llama::Token> tokens = loaded.tokenizer.encode(llama::read_text(arguments.text));
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(arguments.tokens)));

  support::ThreadPool pool(arguments.threads);
  const basin::RunContext context{.executor = pool};
  if (arguments.fuses_rotation())
    std::printf("%s\n", llama::fuse_residual_rotation(model, *arguments.quantize.rotation_seed(), context).description().c_str());
  const llama::Stages original_stages(model.config, arguments.window, pool);
  model.config.kv_bits = arguments.run.kv_bits;
  const llama::Stages stages(model.config, arguments.window, pool);
  const support::Stopwatch watch;
  const BlockLevels levels = choose_levels(arguments, range, model, original_stages, tokens, context);

  llama::StageTargetsOf targets_of;
  if (arguments.is_original())
    targets_of = llama::OriginalInputs({model, original_stages, tokens, arguments.window, range.last + 1, arguments.hessian_folder},
                                       range.first, context);
  else
    targets_of = llama::QuantizedInputs({model, stages, tokens, arguments.window}, original_stages, range.first, arguments.compensation,
                                        arguments.is_asymmetric(), context);

  support::ProgressLine progress("quantize");
  llama::QuantizedLayers layers;
  Summary summary;
  const double total = static_cast<double>((range.last + 1) * static_cast<Index>(llama::num_parts));
  for (Index b = 0; b <= range.last; ++b) {
    llama::Block& block = model.blocks[static_cast<std::size_t>(b)];
    const llama::Block original = block;
    for (const Stage stage : llama::all_stages) {
      const auto targets = targets_of(b, stage, block, original);
      if (!targets) continue;
      const basin::Matrix<double> hessian = targets->hessian();
      const auto drift = targets->drift();
      for (const llama::Part part : llama::parts_behind(stage)) {
        const std::string name = llama::part_name(b, part);
        const llama::Matrix target = targets->target(part, hessian, context);
        llama::QuantizedPart quantized =
            quantizer({target, hessian, drift ? &*drift : nullptr, levels.levels[static_cast<std::size_t>(b)]}, context);
        nlohmann::json report = support::to_json(quantized.report);
        if (arguments.measures_gaussianity) report["gaussianity"] = gaussianity_report(target, arguments.run.rotation_seed, context);
        support::write_json(reports / (name + ".json"), report);
        summary.add(quantized.report);
        block.parts[part] = std::move(quantized.linear);
        layers[name] = std::move(quantized.stored);
        char note[160];
        std::snprintf(note, sizeof note, "%s  error %.4f after init, %.4f", name.c_str(), quantized.report.relative_error_after_init,
                      quantized.report.relative_error);
        const Index done = b * static_cast<Index>(llama::num_parts) + static_cast<Index>(part) + 1;
        progress.update(static_cast<double>(done) / total, note);
      }
    }
  }
  const double calibration_seconds = watch.seconds() - summary.quantization_seconds;
  llama::write_aqlm_model(folder, model, loaded.tokenizer.vocabulary(),
                          arguments.quantize.is_qift() ? llama::ModelFormat(arguments.run) : llama::ModelFormat(arguments.quantize.scheme()),
                          layers);
  if (gguf) gguf->write(model, layers, arguments.fuses_rotation(), arguments.gguf);
  const auto window = static_cast<std::size_t>(arguments.window);
  nlohmann::json figures = {{"layers", summary.layers},
                            {"bits_per_weight", summary.bits / summary.weights},
                            {"mean_error_after_init", summary.per_layer(summary.after_init)},
                            {"mean_error", summary.per_layer(summary.final_error)},
                            {"squared_weight_error", summary.squared_error},
                            {"squared_weight_norm", summary.squared_norm},
                            {"calibration_tokens", tokens.size() / window * window},
                            {"compensation", arguments.compensation.strength},
                            {"calibration_seconds", calibration_seconds},
                            {"quantization_seconds", summary.quantization_seconds},
                            {"peak_rss_bytes", support::peak_rss_bytes()}};
  if (!levels.report.is_null()) figures["mixed"] = levels.report;
  support::write_json(folder / "summary.json", figures);
  llama::write_model_report(folder);
  std::printf("%zu layers at %.3f bits/weight, mean relative error %.4f after init, %.4f as stored; "
              "%.0f s quantizing, %.0f s calibrating\n",
              summary.layers, summary.bits / summary.weights, summary.per_layer(summary.after_init), summary.per_layer(summary.final_error),
              summary.quantization_seconds, calibration_seconds);
}
}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Quantizes a model's linear layers to 2-3 bits per weight", "quantize_model");
  arguments.add_to(app);
  return support::run_program(app, argc, argv, [&] { quantize_model(arguments); });
}
