#pragma once

#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "../support/quantize_options.hpp"
#include "input_path.hpp"
#include "part_quantizer.hpp"
#include "sensitivity.hpp"

#include <basin/metric/compensated_weight.hpp>
#include <basin/pipeline/layer_rules.hpp>
#include <basin/pipeline/plan.hpp>
#include <basin/pipeline/run_identity.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llama {
struct BlockRange {
  Index first, last;
};

/// "3-7" or "3": blocks to quantize, both ends included.
inline BlockRange parse_blocks(const std::string& text, Index num_blocks) {
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

/// What quantize_model is asked for.
struct QuantizeArguments {
  std::string model, text, out, blocks, hessians = "quantized", hessian_folder, gguf, gguf_type = "q8_0";
  int tokens = 32768, window = 1024, threads = 0;
  basin::Compensation compensation;
  std::optional<double> strength;
  RunFormat run;
  support::QuantizeOptions quantize;
  std::optional<Index> num_high;
  SensitivityRule rule = SensitivityRule::kl;
  int rule_tokens = 2048;
  std::optional<double> target_bits;
  std::vector<std::string> candidates{"mnz", "int3", "int4"};
  basin::LayerRules layer_rules;
  std::vector<std::string> rule_texts;
  bool measures_gaussianity = false, only_plans = false, restarts = false;
  std::uint64_t memory = 0;  ///< bytes; 0: as much as it takes
  double seconds = 0;        ///< 0: as long as it takes

  void add_to(CLI::App& app) {
    app.add_option("--model", model, "GGUF file, or directory in AQLM layout or of scalar levels")->required();
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
    const std::vector<std::pair<std::string, SensitivityRule>> rules{
        {"kl", SensitivityRule::kl}, {"loss", SensitivityRule::loss}, {"output", SensitivityRule::output}};
    app.add_option("--mixed-rule", rule,
                   "what tells which: kl of the predictions, loss of the layers, or error of the block's output (kl)")
        ->transform(CLI::Transformer(rules))
        ->type_name("TEXT:{kl,loss,output}");
    app.add_option("--mixed-tokens", rule_tokens, "calibration tokens that tell (2048)")->check(CLI::Range(2, 1 << 30));
    app.add_option("--target-bits", target_bits, "qift: bits per weight of all quantized layers; every block gets one of --candidates")
        ->check(CLI::PositiveNumber);
    app.add_option("--candidates", candidates, "level sets that --target-bits chooses from (mnz,int3,int4)")->delimiter(',');
    app.add_option("--layer", rule_texts,
                   "PATTERN=skip keeps layers as they are, qift: PATTERN=LEVELS fixes their level set; '*' and '?' as in file\n"
                   "names, the last rule that matches counts; may be given several times")
        ->allow_extra_args(false);
    app.add_flag("--gaussianity", measures_gaussianity, "report how far weights are from Gaussians, before and behind the rotation");
    app.add_option("--export-gguf", gguf,
                   "qift: also a GGUF file for llama.cpp, mirror no-zero levels as Q2_K; a rotation then becomes part of the weights");
    app.add_option("--export-type", gguf_type, "of what Q2_K does not hold in it (q8_0)")->check(CLI::IsMember({"q8_0", "f16"}));
    app.add_option("--blocks", blocks, "quantize blocks a to b only, as a-b (all)");
    app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
    app.add_flag("--plan", only_plans, "print what the run would take and leave, and end");
    app.add_option("--memory", memory, "most memory to hold, as 2G or 800M: inputs wait in a file for their turn")->transform(CLI::AsSizeValue(false));
    app.add_option("--time", seconds, "end after about this long, as 90s, 20m or 3h, with fewer epochs for the layers left")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"m", 60}, {"h", 3600}}, CLI::AsNumberWithUnit::CASE_SENSITIVE))
        ->check(CLI::PositiveNumber);
    app.add_flag("--restart", restarts, "begin anew where --out has the checkpoint of a run that did not end");
    app.add_option("--out", out, "directory for the quantized model and one report per layer; a run that did not end goes on there")
        ->required();
  }

  /// The action of a rule that keeps a layer as it is.
  static constexpr const char* skip = "skip";
  /// The level set of a block differs from another's.
  [[nodiscard]] bool chooses_levels() const noexcept { return num_high || target_bits; }
  [[nodiscard]] bool is_original() const noexcept { return hessians == "original"; }
  [[nodiscard]] bool is_asymmetric() const noexcept { return quantize.is_qift() && quantize.level_options().is_asymmetric(); }
  /// Llama.cpp runs no transform of inputs, so that of the weights is another one.
  [[nodiscard]] bool fuses_rotation() const { return !gguf.empty() && quantize.rotation_seed().has_value(); }

  /// What follows from several options together.
  void settle() {
    if (!quantize.is_qift() && (run.activation_bits != 16 || run.kv_bits != 16 || chooses_levels() || !gguf.empty() || measures_gaussianity))
      support::fail("--activation-bits, --kv-bits, --mixed, --target-bits, --gaussianity and --export-gguf: of --method qift only");
    if (!gguf.empty() && std::filesystem::is_directory(model))
      support::fail("--export-gguf: copies what it does not quantize from the model's GGUF file, but ", model, " is a directory");
    if (is_original() && (strength.value_or(0) > 0 || is_asymmetric()))
      support::fail("--hessians original: nothing is known then of the errors that --compensate and gptaq make up for");
    if (num_high && target_bits) support::fail("--mixed and --target-bits: one of them");
    for (const std::string& candidate : candidates)
      if (!support::LevelOptions::is_level_set(candidate))
        support::fail("--candidates: \"", candidate, "\" is not one of ", support::LevelOptions::level_set_names);
    if (target_bits && rule == SensitivityRule::loss) support::fail("--target-bits: --mixed-rule kl or output, which compare more than two ways");
    for (const std::string& text_of_rule : rule_texts) layer_rules.add(text_of_rule);
    for (const std::string& action : layer_rules.actions())
      if (action != skip) check_levels(action);
    if (!is_original() && !chooses_levels() && !hessian_folder.empty())
      support::fail("--hessian-cache: the original model's Hessians are wanted only with --hessians original, --mixed or --target-bits");
    compensation.strength = strength.value_or(is_asymmetric() || is_original() ? 0 : 1);
    if (!fuses_rotation()) run.rotation_seed = quantize.rotation_seed();
    support::check_output(gguf);
  }
  /// A rule keeps the layer as it is.
  [[nodiscard]] bool skips(const std::string& layer) const { return layer_rules.action(layer) == skip; }
  /// The level set of a layer whose block has this one; nothing where the layer stays as it is.
  [[nodiscard]] std::optional<std::string> levels_of(const std::string& layer, const std::string& of_block) const {
    const std::optional<std::string> action = layer_rules.action(layer);
    if (action == skip) return std::nullopt;
    return action ? action : of_block;
  }
  /// Not every layer of block b stays as it is.
  [[nodiscard]] bool quantizes_any_of(Index b) const {
    return any_part([&](Part part) { return !skips(part_name(b, part)); });
  }
  /// A layer of block b takes the block's level set.
  [[nodiscard]] bool chooses_for(Index b) const {
    return any_part([&](Part part) { return !layer_rules.action(part_name(b, part)); });
  }
  /// @param levels  of the layer's block
  [[nodiscard]] basin::PlannedLayer plan_layer(const basin::LayerShape& shape, const std::string& levels, const basin::MeasuredCost* cost) const {
    if (!quantize.is_qift()) return basin::plan_layer(shape, quantize.scheme(), cost);
    return support::plan_level_layer(levels_of(shape.name, levels).value(), shape, cost);
  }
  /// Every option that changes the result, as it was given.
  [[nodiscard]] basin::RunIdentity identity(const CLI::App& app) const {
    static constexpr std::array without_effect{"--model",  "--calibration", "--out",     "--threads",    "--hessian-cache", "--plan",
                                               "--memory", "--time",        "--restart", "--export-gguf", "--export-type",  "--help"};
    basin::RunIdentity identity;
    if (quantize.is_qift()) identity.add("rotation in the weights", fuses_rotation());
    for (const CLI::Option* option : app.get_options()) {
      const std::string name = option->get_name();
      if (option->count() == 0 || std::find(without_effect.begin(), without_effect.end(), name) != without_effect.end()) continue;
      std::string value;
      for (const std::string& result : option->results()) value += (value.empty() ? "" : " ") + result;
      identity.add(name, value);
    }
    return identity;
  }
  [[nodiscard]] PartQuantizer quantizer() const {
    if (!quantize.is_qift()) return additive_part_quantizer(quantize.quantizer(), quantize.scheme());
    return level_part_quantizer(quantize.level_quantizer(quantize.level_options(), run.rotation_seed), run);
  }
  /// One that is quick, to see what few bits do.
  [[nodiscard]] PartQuantizer trial_quantizer(const char* way) const {
    const support::LevelOptions options = quantize.level_options().with_compensation(way);
    return level_part_quantizer(quantize.level_quantizer(options, run.rotation_seed), run);
  }

 private:
  template <class Predicate>
  static bool any_part(Predicate&& holds) {
    for (std::size_t p = 0; p < num_parts; ++p)
      if (holds(Part(p))) return true;
    return false;
  }
  void check_levels(const std::string& action) const {
    if (!quantize.is_qift()) support::fail("--layer: a directory of additive codes has one scheme, so \"skip\" is all that a rule can ask for, got \"", action, "\"");
    if (!support::LevelOptions::is_level_set(action)) support::fail("--layer: \"", action, "\" is neither \"skip\" nor one of ", support::LevelOptions::level_set_names);
  }
};


}  // namespace llama
