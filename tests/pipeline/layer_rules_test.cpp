#include <basin/pipeline/layer_rules.hpp>  // first: proves the header stands alone

#include <string>
#include <string_view>

#include "support/catch.hpp"

using basin::LayerRules;
using basin::matches_pattern;
using basin::test::contains_text;

namespace {
/// By definition: a star takes any number of characters.
bool matches_by_recursion(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    for (std::size_t n = 0; n <= name.size(); ++n)
      if (matches_by_recursion(name.substr(n), pattern.substr(1))) return true;
    return false;
  }
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) && matches_by_recursion(name.substr(1), pattern.substr(1));
}
/// Every text of up to `length` letters of an alphabet.
template <class Visit>
void for_each_text(std::string_view alphabet, std::size_t length, std::string& text, const Visit& visit) {
  visit(text);
  if (text.size() == length) return;
  for (const char c : alphabet) {
    text.push_back(c);
    for_each_text(alphabet, length, text, visit);
    text.pop_back();
  }
}
}  // namespace

TEST_CASE("matches_pattern is what its definition says", "[pipeline][reference]") {
  std::string name, pattern;
  long differing = 0, matching = 0;
  for_each_text("ab", 5, name, [&](const std::string& n) {
    for_each_text("a*?", 4, pattern, [&](const std::string& p) {
      differing += matches_pattern(n, p) != matches_by_recursion(n, p);
      matching += matches_pattern(n, p);
    });
  });
  CHECK(differing == 0);
  CHECK(matching > 1000);
  static_assert(matches_pattern("model.layers.0.mlp.down_proj", "*.down_proj"));
  static_assert(!matches_pattern("model.layers.10.mlp.down_proj", "model.layers.?.*"));
}

TEST_CASE("The last rule that matches counts", "[pipeline][property]") {
  LayerRules rules;
  CHECK(rules.empty());
  rules.add("*=low").add("*.down_proj=int4").add("model.0.*=skip").add("a=b=c");
  CHECK(rules.action("model.1.up_proj") == "low");
  CHECK(rules.action("model.1.down_proj") == "int4");
  CHECK(rules.action("model.0.down_proj") == "skip");
  CHECK(rules.action("a=b") == "c");
  CHECK(rules.actions().size() == 4);
  CHECK(!LayerRules().action("a"));
  CHECK_NOTHROW(rules.check_used({"model.0.down_proj", "a=b"}));
}

TEST_CASE("Rules that cannot be meant are refused", "[pipeline][bad-input]") {
  for (const char* rule : {"", "=", "a=", "=a", "a"}) {
    CAPTURE(rule);
    CHECK_THROWS_WITH(LayerRules().add(rule), contains_text("PATTERN=ACTION"));
  }
  CHECK_THROWS_WITH(LayerRules().add("*.dwon=skip").check_used({"x.down", "x.up"}), contains_text("*.dwon") && contains_text("x.down"));
  CHECK_THROWS_WITH(LayerRules().add("a=skip").check_used({}), contains_text("matches no layer"));
}
