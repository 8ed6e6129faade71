#pragma once

#include <basin/pipeline/checkpoint.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Small records of a checkpoint, and a storage that gives any bytes out as one.
namespace basin::test {
/// A host's own storage in memory; copies share the records.
struct RecordMemory {
  std::shared_ptr<std::map<std::string, std::vector<std::byte>>> records = std::make_shared<std::map<std::string, std::vector<std::byte>>>();
  bool is_full = false;

  Expected<std::optional<std::vector<std::byte>>> read(const std::string& name) const {
    const auto found = records->find(name);
    return found == records->end() ? std::optional<std::vector<std::byte>>() : std::optional(found->second);
  }
  Status write(const std::string& name, std::span<const std::byte> record) const {
    if (is_full) return Error{ErrorCode::cannot_write, concat(name, ": no room")};
    (*records)[name].assign(record.begin(), record.end());
    return Done{};
  }
};

inline RunIdentity small_identity() { return RunIdentity().add("seed", 7); }

/// The records "run", "layer-additive", "layer-levels" and "text-decision".
inline RecordMemory small_records() {
  RecordMemory memory;
  Checkpoint checkpoint(memory, small_identity());
  QuantizationReport report;
  report.scheme = "2x3g8";
  report.loss_trace = {0.5, 0.25};
  report.notes = {{"best_of", "1"}};
  checkpoint.keep("additive", {AdditiveLayer{{2, 1, 2, 1}, 2, 3, {0, 1, 1, 0, 1, 1, 0, 0}, std::vector<std::uint16_t>(8, 0x3c00), {0x3c00, 0x4000}}, report});
  checkpoint.keep("levels", {LevelLayer{2, 2, {-1.5f, -0.5f, 0.5f}, {0, 2, 1, 0}, {0x3c00, 0x4000}, {1, 2}}, report});
  checkpoint.keep_text("decision", "int4");
  return memory;
}

/// Reads bytes as the layer, the text and the identity of a run.
/// @param repairs  makes the record's hashes fit first
/// @return whether any of them took the bytes. Throws logic_error where a layer breaks its word.
inline bool read_record(std::vector<std::byte> bytes, bool repairs) {
  RecordMemory memory;
  Checkpoint checkpoint(memory, small_identity());
  if (repairs && bytes.size() >= detail::record_header) {
    store_little_endian(detail::hash_of(memory.records->at("run")), bytes.data() + 24);
    store_little_endian(detail::hash_of(std::span(bytes).subspan(24)), bytes.data() + 16);
  }
  bool taken = false;
  const auto attempt = [&](const auto& read) {
    try {
      read();
      taken = true;
    } catch (const ValueError&) {
    }
  };
  (*memory.records)["layer-a"] = (*memory.records)["text-a"] = bytes;
  attempt([&] {
    const std::optional<FinishedLayer> found = checkpoint.find("a");
    if (!std::visit([](const auto& layer) { return detail::is_consistent(layer); }, found.value().layer)) throw std::logic_error("an inconsistent layer");
  });
  attempt([&] { static_cast<void>(checkpoint.find_text("a")); });
  if (repairs && bytes.size() >= detail::record_header) {
    store_little_endian(std::uint64_t{0}, bytes.data() + 24);
    store_little_endian(detail::hash_of(std::span(bytes).subspan(24)), bytes.data() + 16);
  }
  (*memory.records)["run"] = std::move(bytes);
  attempt([&] { Checkpoint again(memory, small_identity()); });
  return taken;
}
}  // namespace basin::test
