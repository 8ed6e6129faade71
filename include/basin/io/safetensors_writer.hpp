#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/atomic_file.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/safetensors_types.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace basin {
namespace detail {
[[nodiscard]] inline std::string json_quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
[[nodiscard]] inline bool is_utf8(const std::string& text) {
  // The two policies differ exactly where a byte is invalid.
  return json_quoted(text) == nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
}
}  // namespace detail

/// Collects tensors, then writes them as one safetensors file, whole or not at all.
///
/// Layout    header padded with spaces to 8 bytes; tensors ordered by element size, widest first,
///           then by the order of adding, so that each is aligned to its element.
/// Cost      borrowed tensors are streamed from where they lie; nothing is copied.
class SafetensorsWriter {
 public:
  /// @param data  little-endian, row-major; must stay valid until write().
  /// Errors: bad_value (the name is taken, reserved or not UTF-8; a negative dimension),
  /// shape_mismatch (dtype x shape is not the size of data).
  [[nodiscard]] Status add(std::string name, SafetensorsType type, std::vector<std::int64_t> shape,
                           std::span<const std::byte> data) {
    return add(Entry{std::move(name), type, std::move(shape), {}, data});
  }
  /// The same, keeping the bytes.
  [[nodiscard]] Status add(std::string name, SafetensorsType type, std::vector<std::int64_t> shape,
                           std::vector<std::byte>&& data) {
    return add(Entry{std::move(name), type, std::move(shape), std::move(data), {}});
  }
  /// A key of "__metadata__"; a later value replaces an earlier one.
  /// Error: bad_value (not UTF-8).
  [[nodiscard]] Status set_metadata(std::string key, std::string value) {
    if (!detail::is_utf8(key) || !detail::is_utf8(value))
      return Error{ErrorCode::bad_value, "safetensors metadata must be UTF-8"};
    metadata_[std::move(key)] = std::move(value);
    return Done{};
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  /// Error: cannot_write.
  [[nodiscard]] Status write(const std::filesystem::path& path) const;

 private:
  struct Entry {
    std::string name;
    SafetensorsType type{};
    std::vector<std::int64_t> shape;
    std::vector<std::byte> kept;
    std::span<const std::byte> borrowed;
    [[nodiscard]] std::span<const std::byte> data() const noexcept {
      return kept.empty() ? borrowed : std::span<const std::byte>(kept);
    }
  };
  Status add(Entry entry);

  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> names_;
  std::map<std::string, std::string> metadata_;
};

inline Status SafetensorsWriter::add(Entry entry) {
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat("cannot add tensor \"", entry.name, "\": ", why)};
  };
  if (entry.name == "__metadata__") return fail(ErrorCode::bad_value, "the name is reserved");
  if (!detail::is_utf8(entry.name)) return fail(ErrorCode::bad_value, "the name is not UTF-8");
  if (names_.contains(entry.name)) return fail(ErrorCode::bad_value, "the name is already taken");
  std::uint64_t size = element_size(entry.type);
  for (const std::int64_t extent : entry.shape) {
    if (extent < 0) return fail(ErrorCode::bad_value, concat("a dimension is ", extent));
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && size > std::numeric_limits<std::uint64_t>::max() / factor)
      return fail(ErrorCode::shape_mismatch, "dtype x shape overflows 64 bits");
    size *= factor;
  }
  if (size != entry.data().size())
    return fail(ErrorCode::shape_mismatch,
                concat("dtype x shape is ", size, " bytes, but ", entry.data().size(), " were given"));
  names_.insert(entry.name);
  entries_.push_back(std::move(entry));
  return Done{};
}

inline Status SafetensorsWriter::write(const std::filesystem::path& path) const {
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return element_size(a->type) > element_size(b->type);
  });

  // Composed by hand: a JSON object would sort the names, or search all of them for each.
  std::string header = "{";
  const auto begin_member = [&](const std::string& key) {
    if (header.back() != '{') header += ',';
    header += detail::json_quoted(key) + ":";
  };
  if (!metadata_.empty()) {
    begin_member("__metadata__");
    header += '{';
    for (const auto& [key, value] : metadata_) {
      begin_member(key);
      header += detail::json_quoted(value);
    }
    header += '}';
  }
  std::uint64_t offset = 0;
  for (const Entry* entry : order) {
    begin_member(entry->name);
    header += concat("{\"dtype\":\"", to_string(entry->type), "\",\"shape\":[");
    for (std::size_t i = 0; i < entry->shape.size(); ++i) header += concat(i == 0 ? "" : ",", entry->shape[i]);
    const std::uint64_t end = offset + entry->data().size();
    header += concat("],\"data_offsets\":[", offset, ",", end, "]}");
    offset = end;
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');

  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file) return file.error();
  std::array<std::byte, 8> length{};
  store_little_endian(static_cast<std::uint64_t>(header.size()), length.data());
  if (const Status wrote = file->write(length); !wrote) return wrote.error();
  if (const Status wrote = file->write(std::string_view(header)); !wrote) return wrote.error();
  for (const Entry* entry : order)
    if (const Status wrote = file->write(entry->data()); !wrote) return wrote.error();
  return file->commit();
}

}  // namespace basin
