#pragma once

#include <basin/core/error.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// Whether a name fits a pattern in which '*' stands for any characters and '?' for one.
/// Cost      name x pattern at worst.
[[nodiscard]] constexpr bool matches_pattern(std::string_view name, std::string_view pattern) noexcept {
  std::size_t n = 0, p = 0, star = std::string_view::npos, behind_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      behind_star = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;  // the star takes one more
      n = ++behind_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// What a host does differently with some layers, told by patterns of their names; the last rule that matches counts.
///
///     LayerRules rules;
///     rules.add("*.down_proj=int4").add("model.layers.0.*=skip");
///     rules.action("model.layers.0.mlp.down_proj");   // "skip"
///
/// What an action means is the host's.
class LayerRules {
 public:
  /// @param rule  PATTERN=ACTION. @throws ValueError if either is missing.
  LayerRules& add(std::string_view rule) {
    const std::size_t equals = rule.rfind('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == rule.size())
      raise<ValueError>("LayerRules: a rule is PATTERN=ACTION, as in *.down_proj=skip, got \"", rule, "\"");
    rules_.push_back({std::string(rule.substr(0, equals)), std::string(rule.substr(equals + 1))});
    return *this;
  }
  /// Of a layer; nothing where no rule matches.
  [[nodiscard]] std::optional<std::string> action(std::string_view name) const {
    for (std::size_t r = rules_.size(); r-- > 0;)
      if (matches_pattern(name, rules_[r].pattern)) return rules_[r].action;
    return std::nullopt;
  }
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
  [[nodiscard]] std::vector<std::string> actions() const {
    std::vector<std::string> all;
    for (const Rule& rule : rules_) all.push_back(rule.action);
    return all;
  }
  /// @param names  of all layers. @throws ValueError if a pattern matches none of them: a typing error, most likely.
  void check_used(const std::vector<std::string>& names) const {
    for (const Rule& rule : rules_) {
      bool used = false;
      for (const std::string& name : names) used = used || matches_pattern(name, rule.pattern);
      if (!used) raise<ValueError>("LayerRules: \"", rule.pattern, "\" matches no layer", names.empty() ? "" : "; one is \"", names.empty() ? "" : names.front(), names.empty() ? "" : "\"");
    }
  }

 private:
  struct Rule {
    std::string pattern, action;
  };
  std::vector<Rule> rules_;
};

}  // namespace basin
