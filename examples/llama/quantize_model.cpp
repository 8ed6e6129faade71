// Quantizes the linear layers of a Llama-architecture model, block by block. Every layer is
// calibrated on what the quantized layers before it produce, and makes up for their errors.
#include "../support/console.hpp"
#include "../support/fail.hpp"
#include "../support/interrupt.hpp"
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/report_json.hpp"
#include "../support/thread_pool.hpp"
#include "aqlm_model.hpp"
#include "block_levels.hpp"
#include "calibration.hpp"
#include "calibration_inputs.hpp"
#include "fused_model.hpp"
#include "gguf_output.hpp"
#include "load.hpp"
#include "model_content.hpp"
#include "model_report.hpp"
#include "model_summary.hpp"
#include "original_hessians.hpp"
#include "quantize_arguments.hpp"
#include "run_checkpoint.hpp"
#include "run_plan.hpp"
#include "text_file.hpp"
#include "time_share.hpp"

#include <basin/transform/gaussianity.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {
using basin::Index;
using llama::Stage;

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

llama::Shape shape_of(const llama::Linear& layer) { return {layer.weight().rows(), layer.weight().cols()}; }

/// The layers of a range of blocks that no rule keeps as they are, in order.
struct LayersToQuantize {
  std::vector<basin::LayerShape> shapes;
  std::vector<std::size_t> blocks;  ///< whose they are

  LayersToQuantize(const llama::QuantizeArguments& arguments, const llama::BlockRange& range, const llama::Model& model) {
    std::vector<std::string> names;
    for (Index b = range.first; b <= range.last; ++b)
      for (const Stage stage : llama::all_stages)
        for (const llama::Part part : llama::parts_behind(stage)) {
          names.push_back(llama::part_name(b, part));
          const llama::Matrix& weight = model.blocks[static_cast<std::size_t>(b)].parts[part].weight();
          if (arguments.skips(names.back())) continue;
          shapes.push_back({names.back(), weight.rows(), weight.cols()});
          blocks.push_back(static_cast<std::size_t>(b));
        }
    arguments.layer_rules.check_used(names);
    if (shapes.empty()) support::fail("--layer: every layer of blocks ", range.first, " to ", range.last, " is skipped; nothing is left to quantize");
  }
};

void quantize_model(llama::QuantizeArguments arguments, const CLI::App& app) {
  const support::Stopwatch since_start;
  arguments.settle();
  const llama::PartQuantizer quantizer = arguments.quantizer();
  const std::filesystem::path folder = arguments.out, reports = folder / "reports";
  std::optional<llama::GgufOutput> gguf;
  if (!arguments.gguf.empty())
    gguf.emplace(arguments.model, arguments.gguf_type == "f16" ? basin::GgufType::f16 : basin::GgufType::q8_0);

  llama::LoadedModel loaded = llama::load_model(arguments.model);
  llama::Model& model = loaded.model;
  for (const llama::Block& block : model.blocks)
    for (const llama::Linear& linear : block.parts)
      if (linear.path().changes_inputs())
        support::fail(arguments.model, ": holds layers quantized behind a rotation or rounding of their inputs, which are not quantized again; give the original model");
  const Index num_blocks = static_cast<Index>(model.blocks.size());
  const llama::BlockRange range =
      arguments.blocks.empty() ? llama::BlockRange{0, num_blocks - 1} : llama::parse_blocks(arguments.blocks, num_blocks);
  const LayersToQuantize todo(arguments, range, model);
  const llama::BlockLevels expected = llama::expected_levels(arguments, range, model);
  std::vector<llama::Token> tokens = loaded.tokenizer.encode(llama::read_text(arguments.text));
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(arguments.tokens)));
  llama::Calibration::check_length(tokens.size(), arguments.window);

  const support::Interrupt interrupt;  // so far there is nothing to leave half done
  support::ThreadPool pool(arguments.threads);
  support::ProgressLine progress("quantize");
  double fraction = 0;
  std::string note = "calibrating";
  const basin::RunContext context{.executor = pool, .stop = interrupt.token(), .progress = [&](const basin::Progress&) { progress.update(fraction, note); }};
  const std::uint64_t content = llama::content_of(model).value();  // before anything changes it
  if (arguments.fuses_rotation())
    std::printf("%s\n", llama::fuse_residual_rotation(model, *arguments.quantize.rotation_seed(), context).description().c_str());
  const llama::Stages original_stages(model.config, arguments.window, pool);
  model.config.kv_bits = arguments.run.kv_bits;
  const llama::Stages stages(model.config, arguments.window, pool);

  const Index num_windows = static_cast<Index>(tokens.size()) / arguments.window, num_calibrated = range.last + 1;
  const bool compares = arguments.compensation.strength > 0 || arguments.is_asymmetric();

  basin::QuantizationPlan plan;
  llama::TimePlan time;
  if (arguments.only_plans || arguments.seconds > 0)
    time = llama::measure_time(arguments, model, original_stages, stages, tokens, range, todo.shapes, quantizer, context, pool.num_threads());
  for (std::size_t l = 0; l < todo.shapes.size(); ++l)
    plan.layers.push_back(arguments.plan_layer(todo.shapes[l], expected.levels[todo.blocks[l]], time.layers ? &*time.layers : nullptr));
  const llama::MemoryPlan memory = llama::plan_memory(model, plan, !arguments.quantize.is_qift(), compares, arguments.window,
                                                      static_cast<std::size_t>(num_windows), pool.num_threads(), arguments.memory);
  if (arguments.only_plans) return llama::print_plan(plan, memory, time, num_calibrated);

  std::error_code error;
  std::filesystem::create_directories(reports, error);
  if (error) support::fail(reports.string(), ": cannot create the directory: ", error.message());
  basin::RunIdentity identity = arguments.identity(app);
  identity.add("model", content).add_content("calibration", std::as_bytes(std::span(tokens)));
  llama::RunCheckpoint checkpoint(folder, arguments.gguf, identity, arguments.restarts);
  if (checkpoint.is_resumed()) {
    std::printf("going on from %s\n", checkpoint.folder().c_str());
    std::fflush(stdout);
  }
  const auto go_on = [&] {
    return basin::concat("stopped; the same command", arguments.restarts ? " without --restart" : "", " goes on from ", checkpoint.folder().string());
  };
  try {
    const llama::WindowMemory windows{memory.resident, folder};
    const llama::BlockLevels levels = llama::BlockLevels::parse(checkpoint.decision("levels", [&] {
      return llama::choose_levels(arguments, range, model, original_stages, tokens, windows, context).text();
    }));

    llama::StageTargetsOf targets_of;
    if (arguments.is_original())
      targets_of = llama::OriginalInputs({model, original_stages, tokens, arguments.window, num_calibrated, arguments.hessian_folder, windows}, context);
    else
      targets_of = llama::QuantizedInputs({model, stages, tokens, arguments.window, windows}, original_stages, range.first,
                                          arguments.compensation, arguments.is_asymmetric(), context);

    const support::Stopwatch watch;
    llama::TimeShare share(since_start, arguments.seconds, plan.seconds(), time.calibration(memory.windows, num_calibrated));
    llama::QuantizedLayers layers;
    llama::ModelSummary summary;
    std::size_t next = 0;
    double quantizing = 0;  // what an earlier run did not do
    for (Index b = 0; b <= range.last; ++b) {
      llama::Block& block = model.blocks[static_cast<std::size_t>(b)];
      const llama::Block original = block;
      for (const Stage stage : llama::all_stages) {
        std::vector<std::optional<llama::QuantizedPart>> finished;
        bool is_wanted = false;
        for (const llama::Part part : llama::parts_behind(stage)) {
          const std::string name = llama::part_name(b, part);
          const bool is_quantized = b >= range.first && !arguments.skips(name);
          finished.push_back(is_quantized ? checkpoint.find(name, shape_of(block.parts[part]), arguments.run, context) : std::nullopt);
          is_wanted = is_wanted || (is_quantized && !finished.back());
        }
        const auto targets = targets_of(b, stage, block, original, is_wanted);
        share.end_stage(time.calibration(memory.windows, 1) / static_cast<double>(llama::all_stages.size()));
        if (b < range.first) continue;
        const basin::Matrix<double> hessian = targets ? targets->hessian() : basin::Matrix<double>();
        const auto drift = targets ? targets->drift() : std::nullopt;
        std::size_t position = 0;
        for (const llama::Part part : llama::parts_behind(stage)) {
          std::optional<llama::QuantizedPart>& found = finished[position++];
          const std::string name = llama::part_name(b, part);
          if (arguments.skips(name)) continue;
          const basin::PlannedLayer& planned = plan.layers.at(next++);
          basin::RunContext own = context;
          own.deadline = share.begin_layer(planned.seconds);
          if (!found) {
            const llama::Matrix target = targets.value().target(part, hessian, own);
            const support::Stopwatch layer_watch;
            found = quantizer({target, hessian, drift ? &*drift : nullptr, levels.of(b, arguments.layer_rules.action(name))}, own);
            nlohmann::json report = support::to_json(found->report);
            if (arguments.measures_gaussianity) report["gaussianity"] = gaussianity_report(target, arguments.run.rotation_seed, own);
            support::write_json(reports / (name + ".json"), report);
            checkpoint.keep(name, *found);
            quantizing += layer_watch.seconds();
          }
          summary.add(found->report);
          block.parts[part] = std::move(found->linear);
          layers[name] = std::move(found->stored);
          char text[160];
          std::snprintf(text, sizeof text, "%s  error %.4f after init, %.4f", name.c_str(), found->report.relative_error_after_init,
                        found->report.relative_error);
          note = text;
          fraction = static_cast<double>(next) / static_cast<double>(todo.shapes.size());
          progress.update(fraction, note);
        }
      }
    }
    const double calibration_seconds = watch.seconds() - quantizing;
    llama::write_aqlm_model(folder, model, loaded.tokenizer.vocabulary(),
                            arguments.quantize.is_qift() ? llama::ModelFormat(arguments.run) : llama::ModelFormat(arguments.quantize.scheme()),
                            layers);
    if (gguf) gguf->write(model, layers, arguments.fuses_rotation(), arguments.gguf);
    nlohmann::json figures = {{"layers", summary.layers},
                              {"bits_per_weight", summary.bits / summary.weights},
                              {"mean_error_after_init", summary.per_layer(summary.after_init)},
                              {"mean_error", summary.per_layer(summary.final_error)},
                              {"squared_weight_error", summary.squared_error},
                              {"squared_weight_norm", summary.squared_norm},
                              {"calibration_tokens", num_windows * arguments.window},
                              {"compensation", arguments.compensation.strength},
                              {"calibration_seconds", calibration_seconds},
                              {"quantization_seconds", summary.quantization_seconds},
                              {"planned_bytes", memory.peak()},
                              {"peak_rss_bytes", support::peak_rss_bytes()}};
    if (!levels.report.is_null()) figures["mixed"] = levels.report;
    if (arguments.seconds > 0) figures["layers_ended_by_time"] = summary.ended_by_time;
    support::write_json(folder / "summary.json", figures);
    llama::write_model_report(folder);
    checkpoint.remove();
    std::printf("%zu layers at %.3f bits/weight, mean relative error %.4f after init, %.4f as stored; "
                "%.0f s quantizing, %.0f s calibrating\n",
                summary.layers, summary.bits / summary.weights, summary.per_layer(summary.after_init), summary.per_layer(summary.final_error),
                summary.quantization_seconds, calibration_seconds);
    if (summary.ended_by_time > 0)
      std::printf("--time ended %zu of the layers before their error stopped falling\n", summary.ended_by_time);
  } catch (const basin::Cancelled&) {
    basin::raise<basin::Cancelled>(go_on());
  }
}
}  // namespace

int main(int argc, char** argv) {
  llama::QuantizeArguments arguments;
  CLI::App app("Quantizes a model's linear layers to 2-3 bits per weight", "quantize_model");
  arguments.add_to(app);
  return support::run_program(app, argc, argv, [&] { quantize_model(arguments, app); });
}
