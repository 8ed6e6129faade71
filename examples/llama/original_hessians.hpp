#pragma once

#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "calibration.hpp"
#include "forward.hpp"
#include "model_content.hpp"

#include <basin/core/content_hash.hpp>
#include <basin/core/run_context.hpp>
#include <basin/io/json_text.hpp>
#include <basin/io/npy.hpp>
#include <basin/metric/gram.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llama {
/// H of what the layers behind each stage of a block read; empty for the last stage.
using BlockHessians = std::array<basin::Matrix<double>, all_stages.size()>;

/// The Hessians of a model as it was before anything was quantized, block by block. A folder keeps them for other runs.
///
///     OriginalHessians hessians(model, stages, tokens, 1024, num_blocks, folder);
///     for (Index b = 0; b < num_blocks; ++b) const BlockHessians h = hessians.next(model.blocks[b], context);
///
/// Folder    hessians.json with the fingerprint of model, tokens and window; block-3-attend.npy, [n_in, n_in] in double.
class OriginalHessians {
 public:
  /// @param num_blocks  that will be asked for, from the first one on
  /// A folder with Hessians of something else ends the program.
  OriginalHessians(const Model& model, const Stages& stages, std::span<const Token> tokens, Index window, Index num_blocks,
                   const std::filesystem::path& folder = {}, WindowMemory memory = {})
      : folder_(folder), num_blocks_(num_blocks) {
    if (!folder_.empty()) claim_folder(fingerprint(model, tokens, window));
    if (!kept_) calibration_.emplace(model, stages, tokens, window, std::move(memory));
  }

  /// Of the next block, which must be as it was; the first one at first.
  [[nodiscard]] BlockHessians next(const Block& original, const basin::RunContext& context) {
    const Index block = next_++;
    BlockHessians found;
    for (const Stage stage : all_stages) {
      if (kept_ && stage != Stage::finish) {
        found[static_cast<std::size_t>(stage)] = read(block, stage);
        continue;
      }
      if (kept_) continue;
      std::optional<basin::GramAccumulator> gram;
      const auto add = [&](std::size_t window) {
        if (!gram) gram.emplace(calibration_->input(window).cols());
        gram->add(calibration_->input(window), context);
      };
      calibration_->advance(stage, original, add, context);
      if (!gram) continue;
      found[static_cast<std::size_t>(stage)] = gram->hessian();
      if (!folder_.empty()) write(block, stage, found[static_cast<std::size_t>(stage)]);
    }
    return found;
  }

 private:
  static std::uint64_t fingerprint(const Model& model, std::span<const Token> tokens, Index window) {
    basin::ContentHash found = content_of(model);
    found.add(std::as_bytes(tokens));
    const std::array number{window};
    found.add(std::as_bytes(std::span(number)));
    return found.value();
  }
  void claim_folder(std::uint64_t fingerprint) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) support::fail(folder_.string(), ": cannot create the directory: ", error.message());
    const std::filesystem::path about = folder_ / "hessians.json";
    if (!std::filesystem::exists(about)) return support::write_json(about, nlohmann::json{{"fingerprint", fingerprint}});
    const nlohmann::json found = support::take(basin::read_json(about.string()));
    if (!found.is_object() || found.value("fingerprint", nlohmann::json()) != fingerprint)
      support::fail(folder_.string(), ": holds Hessians of another model, text, --tokens or --context; name another directory");
    kept_ = true;
    for (Index block = 0; block < num_blocks_; ++block)
      for (const Stage stage : all_stages)
        kept_ = kept_ && (stage == Stage::finish || std::filesystem::exists(path(block, stage)));
  }
  [[nodiscard]] std::filesystem::path path(Index block, Stage stage) const {
    static constexpr std::array names{"attention_input", "attend", "ffn_input", "activate"};
    return folder_ / basin::concat("block-", block, "-", names.at(static_cast<std::size_t>(stage)), ".npy");
  }
  [[nodiscard]] basin::Matrix<double> read(Index block, Stage stage) const {
    const basin::NpyArray<double> array = support::take(basin::read_npy<double>(path(block, stage)));
    if (array.shape.size() != 2) support::fail(path(block, stage).string(), ": must hold a matrix; remove the directory");
    return basin::ConstMatrixMap<double>(array.data.data(), array.shape[0], array.shape[1]);
  }
  void write(Index block, Stage stage, const basin::Matrix<double>& hessian) const {
    const std::vector<std::int64_t> shape{hessian.rows(), hessian.cols()};
    support::check(basin::write_npy<double>(path(block, stage), shape,
                                            std::span<const double>(hessian.data(), static_cast<std::size_t>(hessian.size()))));
  }

  std::filesystem::path folder_;
  Index num_blocks_, next_ = 0;
  bool kept_ = false;
  std::optional<Calibration> calibration_;
};

}  // namespace llama
