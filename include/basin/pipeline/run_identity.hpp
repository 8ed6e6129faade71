#pragma once

#include <basin/core/content_hash.hpp>
#include <basin/core/error.hpp>
#include <basin/core/version.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// What the outcome of a run depends on, name by name, so that work that was kept goes on only in the same run.
///
///     RunIdentity().add("scheme", "2x8g8").add("seed", 7).add_content("model", bytes)
///
/// The library's version is in it from the start.
class RunIdentity {
 public:
  RunIdentity() { add("basin", std::string(version_text)); }
  /// One that was kept.
  explicit RunIdentity(std::vector<std::pair<std::string, std::string>> entries) : entries_(std::move(entries)) {}

  /// @throws ValueError if the name is taken.
  RunIdentity& add(std::string name, std::string value) {
    if (find(name) != nullptr) raise<ValueError>("RunIdentity: \"", name, "\" is there already");
    entries_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
  RunIdentity& add(std::string name, Number value) {
    if constexpr (std::same_as<Number, bool>) return add(std::move(name), std::string(value ? "yes" : "no"));
    else return add(std::move(name), concat(value));
  }
  /// Bytes that are too many to keep: their hash and number.
  RunIdentity& add_content(std::string name, std::span<const std::byte> bytes) {
    ContentHash hash;
    hash.add(bytes);
    return add(std::move(name), concat(bytes.size(), " bytes, hash ", hash.value()));
  }

  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& entries() const noexcept { return entries_; }
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == name; });
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

/// Every name whose values differ, with both; empty where none does: "scheme: 2x8g8 there, 2x6g8 here; seed: 0 there, 1 here".
[[nodiscard]] inline std::string differences(const RunIdentity& there, const RunIdentity& here) {
  std::string text;
  const auto tell = [&](const std::string& name, const std::string* kept, const std::string* wanted) {
    if (kept != nullptr && wanted != nullptr && *kept == *wanted) return;
    if (!text.empty()) text += "; ";
    text += concat(name, ": ", kept ? *kept : "nothing", " there, ", wanted ? *wanted : "nothing", " here");
  };
  for (const auto& [name, value] : here.entries()) tell(name, there.find(name), &value);
  for (const auto& [name, value] : there.entries())
    if (here.find(name) == nullptr) tell(name, &value, nullptr);
  return text;
}

}  // namespace basin
