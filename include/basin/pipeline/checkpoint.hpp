#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/pipeline/detail/checkpoint_record.hpp>
#include <basin/pipeline/report.hpp>
#include <basin/pipeline/run_identity.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace basin {
/// Where a host keeps records by name: files, a database, memory. write returns once the record is safe, whole under its
/// name; a process that ends earlier leaves the record that was there before, or none. Laws: tests/laws/storage_laws.hpp.
template <class S>
concept CheckpointStorage = std::movable<S> && requires(S& storage, const std::string& name, std::span<const std::byte> record) {
  { storage.read(name) } -> std::same_as<Expected<std::optional<std::vector<std::byte>>>>;
  { storage.write(name, record) } -> std::same_as<Status>;
};

/// A quantized layer as it is stored, and how it came about.
struct FinishedLayer {
  std::variant<AdditiveLayer, LevelLayer> layer;
  QuantizationReport report;
};

/// What a long run has finished, kept so that the same run goes on from there after a crash.
///
///     Checkpoint checkpoint(std::move(storage), RunIdentity().add("scheme", "2x8g8").add("seed", 7));
///     for (const auto& [name, weight, hessian] : layers)
///       if (!checkpoint.find(name)) {
///         const auto [quantized, report] = quantizer.quantize(weight, hessian, scheme);
///         checkpoint.keep(name, {store(quantized), report});
///       }
///
/// Accuracy  a layer that is found is bit for bit the one that was kept.
/// Cost      a record takes 2 bytes per code of an additive layer, 1 of a level layer, and its codebooks and scales.
/// Errors    ValueError if the storage holds another run, with every difference, or a record that is damaged;
///           StorageError if the storage fails.
template <CheckpointStorage Storage>
class Checkpoint {
 public:
  /// The record that tells which run it is; where records are removed, the last one to go.
  static constexpr const char* identity_name = "run";

  /// Begins to keep a run, or goes on with it.
  Checkpoint(Storage storage, const RunIdentity& run) : storage_(std::move(storage)) {
    const std::optional<std::vector<std::byte>> kept = read(identity_name);
    detail::RecordWriter record(detail::RecordKind::identity, 0);
    record(run.entries());
    std::vector<std::byte> mine = std::move(record).finish();
    run_ = detail::hash_of(mine);
    is_resumed_ = kept.has_value();
    if (!is_resumed_) {
      write(identity_name, mine);
      return;
    }
    detail::RecordReader reader = intact(identity_name, *kept, detail::RecordKind::identity, 0);
    std::vector<std::pair<std::string, std::string>> entries;
    reader(entries);
    if (!reader.ok()) damaged(identity_name, "does not hold an identity");
    const std::string differing = differences(RunIdentity(std::move(entries)), run);
    if (!differing.empty()) raise<ValueError>("Checkpoint: holds another run; ", differing);
    run_ = detail::hash_of(*kept);  // the same entries, perhaps in another order
  }

  /// There was work of this run already.
  [[nodiscard]] bool is_resumed() const noexcept { return is_resumed_; }
  [[nodiscard]] Storage& storage() noexcept { return storage_; }

  [[nodiscard]] std::optional<FinishedLayer> find(const std::string& name) {
    const std::optional<std::vector<std::byte>> record = read(layer_prefix + name);
    if (!record) return std::nullopt;
    FinishedLayer found;
    const bool has_levels = detail::kind_of(*record) == detail::RecordKind::levels;
    detail::RecordReader reader =
        intact(name, *record, has_levels ? detail::RecordKind::levels : detail::RecordKind::additive, run_);
    detail::visit_report(reader, found.report);
    if (has_levels) detail::visit_layer(reader, found.layer.template emplace<LevelLayer>());
    else detail::visit_layer(reader, found.layer.template emplace<AdditiveLayer>());
    const bool is_whole = reader.ok() && std::visit([](const auto& layer) { return detail::is_consistent(layer); }, found.layer);
    if (!is_whole) damaged(name, "does not hold what a layer has");
    return found;
  }
  void keep(const std::string& name, const FinishedLayer& finished) {
    const bool has_levels = std::holds_alternative<LevelLayer>(finished.layer);
    detail::RecordWriter record(has_levels ? detail::RecordKind::levels : detail::RecordKind::additive, run_);
    detail::visit_report(record, finished.report);
    std::visit([&](const auto& layer) { detail::visit_layer(record, layer); }, finished.layer);
    write(layer_prefix + name, std::move(record).finish());
  }

  /// Decisions and intermediate results of the host.
  [[nodiscard]] std::optional<std::string> find_text(const std::string& name) {
    const std::optional<std::vector<std::byte>> record = read(text_prefix + name);
    if (!record) return std::nullopt;
    std::string text;
    detail::RecordReader reader = intact(name, *record, detail::RecordKind::text, run_);
    reader(text);
    if (!reader.ok()) damaged(name, "does not hold a text");
    return text;
  }
  void keep_text(const std::string& name, const std::string& text) {
    detail::RecordWriter record(detail::RecordKind::text, run_);
    record(text);
    write(text_prefix + name, std::move(record).finish());
  }

 private:
  static inline const std::string layer_prefix = "layer-", text_prefix = "text-";

  [[nodiscard]] std::optional<std::vector<std::byte>> read(const std::string& name) {
    Expected<std::optional<std::vector<std::byte>>> found = storage_.read(name);
    if (!found) raise<StorageError>("Checkpoint: ", found.error().message);
    return *std::move(found);
  }
  void write(const std::string& name, std::span<const std::byte> record) {
    if (const Status written = storage_.write(name, record); !written) raise<StorageError>("Checkpoint: ", written.error().message);
  }
  [[nodiscard]] static detail::RecordReader intact(const std::string& name, std::span<const std::byte> record, detail::RecordKind kind,
                                                   std::uint64_t run) {
    if (const std::string_view fault = detail::fault_of(record, kind, run); !fault.empty()) damaged(name, fault);
    return detail::RecordReader(record);
  }
  [[noreturn]] static void damaged(const std::string& name, std::string_view fault) {
    raise<ValueError>("Checkpoint: the record \"", name, "\" ", fault, "; remove it to have its work done again");
  }

  Storage storage_;
  std::uint64_t run_ = 0;
  bool is_resumed_ = false;
};

}  // namespace basin
