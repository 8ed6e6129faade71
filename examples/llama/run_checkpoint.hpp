#pragma once

#include "../support/fail.hpp"
#include "quantized_part.hpp"

#include <basin/io/checkpoint_folder.hpp>
#include <basin/pipeline/checkpoint.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace llama {
/// What a run of quantize_model has finished, in OUT/checkpoint until the model is written. While it is there no other process
/// writes to OUT.
class RunCheckpoint {
 public:
  /// @param exported  a file that the run writes elsewhere, or nothing
  /// @param restarts  throws what is there away
  RunCheckpoint(const std::filesystem::path& out, const std::filesystem::path& exported, const basin::RunIdentity& run, bool restarts)
      : checkpoint_(open(out / "checkpoint", run, restarts)) {
    const auto is_ours = [](const std::string& name) { return name.ends_with(".json") || name.starts_with("model.safetensors") || name == "report.html"; };
    for (const std::filesystem::path& folder : {out, out / "reports"}) support::check(basin::remove_leftovers(folder, is_ours));
    if (exported.empty()) return;
    const auto is_export = [&](const std::string& name) { return name == exported.filename(); };
    support::check(basin::remove_leftovers(exported.has_parent_path() ? exported.parent_path() : ".", is_export));
  }

  [[nodiscard]] bool is_resumed() const noexcept { return checkpoint_.is_resumed(); }
  [[nodiscard]] const std::filesystem::path& folder() { return checkpoint_.storage().path(); }

  /// @param shape  of the model's layer
  [[nodiscard]] std::optional<QuantizedPart> find(const std::string& name, Shape shape, const RunFormat& run, const basin::RunContext& context) {
    std::optional<basin::FinishedLayer> found = whole([&] { return checkpoint_.find(name); });
    if (!found) return std::nullopt;
    const auto [n_out, n_in] = std::visit([](const auto& layer) { return std::pair(layer.n_out, layer.n_in); }, found->layer);
    if (n_out != shape.rows || n_in != shape.cols)
      support::fail(folder().string(), ": holds \"", name, "\" as [", n_out, ", ", n_in, "], the model has [", shape.rows, ", ", shape.cols,
                    "]; --restart removes all of it");
    Linear linear = stored_linear(found->layer, run, context);
    return QuantizedPart{std::move(linear), std::move(found->layer), std::move(found->report)};
  }
  void keep(const std::string& name, const QuantizedPart& part) { checkpoint_.keep(name, {part.stored, part.report}); }

  /// A decision, made by make() unless an earlier run made it.
  template <class Make>
  [[nodiscard]] std::string decision(const std::string& name, Make&& make) {
    if (std::optional<std::string> found = whole([&] { return checkpoint_.find_text(name); })) return *found;
    std::string made = make();
    checkpoint_.keep_text(name, made);
    return made;
  }

  /// When everything is written elsewhere.
  void remove() { support::check(checkpoint_.storage().remove(Kept::identity_name)); }

 private:
  using Kept = basin::Checkpoint<basin::CheckpointFolder>;

  /// What a record holds; a damaged one ends the program.
  template <class Find>
  std::invoke_result_t<Find&> whole(Find&& find) {
    try {
      return find();
    } catch (const basin::ValueError& error) {
      support::fail(folder().string(), ": ", error.what(), "; --restart removes all of them");
    }
  }
  static Kept open(const std::filesystem::path& folder, const basin::RunIdentity& run, bool restarts) {
    basin::CheckpointFolder storage = support::take(basin::CheckpointFolder::open(folder));
    if (restarts) {
      support::check(storage.remove(Kept::identity_name));
      storage = support::take(basin::CheckpointFolder::open(folder));
    }
    try {
      return {std::move(storage), run};
    } catch (const basin::ValueError& error) {
      support::fail(folder.string(), ": ", error.what(), "; --restart throws it away, another --out leaves it");
    }
  }

  Kept checkpoint_;
};

}  // namespace llama
