#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/mapped_file.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
namespace detail {
/// Follows a JSON text without building it: nesting depth, duplicate keys, where an error is.
class JsonChecker {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit JsonChecker(std::size_t max_depth) noexcept : max_depth_(max_depth) {}
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  bool null() const noexcept { return true; }
  bool boolean(bool) const noexcept { return true; }
  bool number_integer(number_integer_t) const noexcept { return true; }
  bool number_unsigned(number_unsigned_t) const noexcept { return true; }
  bool number_float(number_float_t, const string_t&) const noexcept { return true; }
  bool string(string_t&) const noexcept { return true; }
  bool binary(binary_t&) const noexcept { return true; }
  bool start_object(std::size_t) { return enter(); }
  bool end_object() { return leave(); }
  bool start_array(std::size_t) { return enter(); }
  bool end_array() { return leave(); }
  bool key(string_t& name) {
    if (keys_.back().insert(name).second) return true;
    problem_ = concat("the key \"", name, "\" occurs twice");
    return false;
  }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    problem_ = "not valid JSON";
    position_ = position;
    return false;
  }

 private:
  bool enter() {
    if (keys_.size() >= max_depth_) {
      problem_ = concat("nested deeper than ", max_depth_, " levels");
      return false;
    }
    keys_.emplace_back();
    return true;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::size_t max_depth_;
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
  std::uint64_t position_ = 0;
};
}  // namespace detail

inline constexpr std::size_t max_json_depth = 32;
inline constexpr std::size_t max_json_bytes = std::size_t{32} << 20;

/// Untrusted JSON to a document: at most 32 MB and 32 levels, no key twice in one object.
///
/// @param name  stands for the text in errors.
/// Errors: bad_value, too_large. Never throws, but the document's own accessors do: ask find(),
/// contains() and get_ptr() of it, and check types first.
[[nodiscard]] inline Expected<nlohmann::json> parse_json(std::string_view text, std::string_view name) {
  if (text.size() > max_json_bytes)
    return Error{ErrorCode::too_large, concat(name, ": ", text.size(), " bytes of JSON; the limit is ",
                                              max_json_bytes)};
  detail::JsonChecker checker(max_json_depth);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &checker))
    return Error{ErrorCode::bad_value, concat(name, ": ", checker.problem(), " (byte ", checker.position(), ")"),
                 checker.position()};
  nlohmann::json document = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (document.is_discarded()) return Error{ErrorCode::bad_value, concat(name, ": not valid JSON")};
  return document;
}

/// Errors: cannot_open and those of parse_json.
[[nodiscard]] inline Expected<nlohmann::json> read_json(const std::filesystem::path& path) {
  const Expected<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  const std::span<const std::byte> bytes = file->bytes();
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

}  // namespace basin
