#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/json_text.hpp>
#include <basin/io/safetensors_file.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace basin {
/// A model's tensors, in one safetensors file or spread over shards by model.safetensors.index.json.
///
/// Checked   shards lie beside the index (no path in their names) and hold every tensor that the
///           index says; each shard as SafetensorsFile does.
class SafetensorsModel {
 public:
  /// @param path  a folder with model.safetensors.index.json or model.safetensors, or one of the two.
  /// Errors: cannot_open, not_found, those of parse_json and of SafetensorsFile::parse.
  [[nodiscard]] static Expected<SafetensorsModel> open(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
      const std::filesystem::path index = path / "model.safetensors.index.json";
      return open(std::filesystem::exists(index, ignored) ? index : path / "model.safetensors");
    }
    if (path.extension() == ".json") return open_shards(path);
    Expected<SafetensorsFile> file = SafetensorsFile::open(path);
    if (!file) return file.error();
    SafetensorsModel model;
    model.name_ = path.string();
    for (const SafetensorsTensor& tensor : file->tensors()) model.index_.emplace(tensor.name, &tensor);
    model.files_.push_back(std::move(*file));
    return model;
  }

  SafetensorsModel(const SafetensorsModel&) = delete;  // the index points into the files
  SafetensorsModel& operator=(const SafetensorsModel&) = delete;
  SafetensorsModel(SafetensorsModel&&) noexcept = default;
  SafetensorsModel& operator=(SafetensorsModel&&) noexcept = default;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::vector<SafetensorsFile>& files() const noexcept { return files_; }
  /// Sorted by name; valid as long as the model.
  [[nodiscard]] std::vector<const SafetensorsTensor*> tensors() const {
    std::vector<const SafetensorsTensor*> all;
    all.reserve(index_.size());
    for (const auto& entry : index_) all.push_back(entry.second);
    return all;
  }
  /// Null when there is none of that name.
  [[nodiscard]] const SafetensorsTensor* find(std::string_view name) const noexcept {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : at->second;
  }
  /// The value of a key of "__metadata__", from the first shard that has it.
  [[nodiscard]] std::optional<std::string> metadata(std::string_view key) const {
    for (const SafetensorsFile& file : files_)
      if (std::optional<std::string> value = file.metadata(key)) return value;
    return std::nullopt;
  }

 private:
  SafetensorsModel() = default;
  static Expected<SafetensorsModel> open_shards(const std::filesystem::path& path);

  std::string name_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, const SafetensorsTensor*, std::less<>> index_;
};

inline Expected<SafetensorsModel> SafetensorsModel::open_shards(const std::filesystem::path& path) {
  const Expected<nlohmann::json> index = read_json(path);
  if (!index) return index.error();
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat(path.string(), ": ", why)};
  };
  const auto weight_map = index->find("weight_map");
  if (weight_map == index->end() || !weight_map->is_object())
    return fail(ErrorCode::bad_value, "no object \"weight_map\"; this is not a safetensors index");
  SafetensorsModel model;
  model.name_ = path.string();
  std::map<std::string, std::size_t> opened;
  std::vector<std::pair<std::string, std::size_t>> places;
  for (const auto& [tensor, value] : weight_map->items()) {
    const auto* const shard = value.template get_ptr<const std::string*>();
    if (shard == nullptr || shard->empty() || shard->find_first_of(std::string_view("/\\:\0", 4)) != std::string::npos ||
        *shard == "." || *shard == "..")
      return fail(ErrorCode::bad_value,
                  concat("tensor \"", tensor, "\": the shard must be the name of a file beside the index"));
    const auto [at, is_new] = opened.emplace(*shard, model.files_.size());
    if (is_new) {
      Expected<SafetensorsFile> file = SafetensorsFile::open(path.parent_path() / *shard);
      if (!file) return file.error();
      model.files_.push_back(std::move(*file));
    }
    places.emplace_back(tensor, at->second);
  }
  for (const auto& [tensor, shard] : places) {
    const SafetensorsTensor* const found = model.files_[shard].find(tensor);
    if (found == nullptr)
      return fail(ErrorCode::not_found, concat("tensor \"", tensor, "\" is not in ", model.files_[shard].name()));
    model.index_.emplace(tensor, found);
  }
  return model;
}

}  // namespace basin
