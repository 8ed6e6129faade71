#include "llama/tokenizer.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using llama::Token;
using llama::Tokenizer;

namespace {
/// Every byte, some merges and a control token.
llama::Vocabulary small_vocabulary() {
  llama::Vocabulary v;
  for (const char32_t c : llama::detail::byte_alphabet()) v.tokens.push_back(llama::detail::utf8(c));
  const std::string space = llama::detail::utf8(0x120);
  v.merges = {{"a", "b"}, {"b", "c"}, {"ab", "c"}, {space, "a"}, {space, "ab"}, {space, space}, {"1", "2"}};
  for (const auto& [left, right] : v.merges) v.tokens.push_back(left + right);
  v.special.assign(v.tokens.size(), false);
  v.tokens.push_back("<|end|>");
  v.special.push_back(true);
  return v;
}
std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::string> all;
  for (const Token id : tokenizer.encode(text)) all.push_back(tokenizer.decode(id));
  return all;
}
using Pieces = std::vector<std::string>;
}  // namespace

TEST_CASE("Tokenizer gives back the bytes it was given", "[examples][property]") {
  const Tokenizer tokenizer(small_vocabulary());
  std::string every_byte;
  for (int b = 0; b < 256; ++b) every_byte.push_back(static_cast<char>(b));
  for (const std::string& text : {std::string(), std::string(" "), std::string("\n\n  x \t"), every_byte,
                                  std::string("caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80's"),
                                  std::string("\xc3"), std::string("a\xe4\xb8"), std::string("\xed\xa0\x80"),
                                  std::string("\xf4\x90\x80\x80 \xc0\xaf"), std::string("nul\0byte", 8),
                                  std::string("\xe2\x80\xa8\xc2\xa0 x\xe3\x80\x80"), std::string(5000, 'a'),
                                  std::string("abc <|end|> \xd9\xa3\xc2\xbd")})
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
}

TEST_CASE("Tokenizer merges by rank, leftmost first, inside words", "[examples][reference]") {
  const Tokenizer tokenizer(small_vocabulary());
  CHECK(pieces(tokenizer, "abc") == Pieces{"abc"});
  CHECK(pieces(tokenizer, "bcab") == Pieces{"bc", "ab"});
  CHECK(pieces(tokenizer, "bcabc") == Pieces{"bc", "abc"});
  CHECK(pieces(tokenizer, "ab abc") == Pieces{"ab", " ", "abc"});  // "ab" + "c" before " " + "ab"
  CHECK(pieces(tokenizer, "ab ab") == Pieces{"ab", " ab"});
}

TEST_CASE("Tokenizer cuts text into words as GPT-2 does", "[examples][reference]") {
  const Tokenizer smol(small_vocabulary());
  llama::Vocabulary other = small_vocabulary();
  other.split_digits = false;
  const Tokenizer gpt2(other);
  // White space leaves one character to the next word; digits stand alone in "smollm".
  CHECK(pieces(smol, "    b") == Pieces{"  ", " ", " ", "b"});
  CHECK(pieces(smol, "    ") == Pieces{"  ", "  "});
  CHECK(pieces(smol, "    1") == Pieces{"  ", "  ", "1"});
  CHECK(pieces(gpt2, "    1") == Pieces{"  ", " ", " ", "1"});
  CHECK(pieces(smol, "12") == Pieces{"1", "2"});
  CHECK(pieces(gpt2, "12") == Pieces{"12"});
  CHECK(pieces(smol, "  \n") == Pieces{"  ", "\n"});
}

TEST_CASE("A special token in a text is plain text", "[examples][property]") {
  const Tokenizer tokenizer(small_vocabulary());
  const Token end = tokenizer.id_of("<|end|>");
  REQUIRE(end >= 0);
  for (const Token id : tokenizer.encode("<|end|>")) CHECK(id != end);
  CHECK(tokenizer.decode(end) == "<|end|>");
}

TEST_CASE("Tokenizer says what is wrong with a vocabulary", "[examples][bad-input]") {
  using basin::test::contains_text;
  llama::Vocabulary v = small_vocabulary();
  v.merges.push_back({"a", "zzz"});
  CHECK_THROWS_WITH(Tokenizer(v), contains_text("merge 'a zzz'"));
  v = small_vocabulary();
  v.special.pop_back();
  CHECK_THROWS_WITH(Tokenizer(v), contains_text("token types"));
  const Tokenizer tokenizer(small_vocabulary());
  CHECK_THROWS_WITH(tokenizer.decode(Token{100000}), contains_text("no token 100000"));
  CHECK_THROWS_WITH(tokenizer.decode(Token{-1}), contains_text("no token -1"));
}

TEST_CASE("Characters have Unicode's classes", "[examples][reference]") {
  using llama::CharClass;
  using llama::char_class;
  for (const char32_t c : {U'a', U'Z', U'\u00e9', U'\u4e2d', U'\u0627', U'\U0001d400', U'\U0003134a'})
    CHECK(char_class(c) == CharClass::letter);
  for (const char32_t c : {U'0', U'9', U'\u00bd', U'\u0663', U'\u2164', U'\U0001d7ce'})
    CHECK(char_class(c) == CharClass::number);
  for (const char32_t c : {U' ', U'\t', U'\u00a0', U'\u2028', U'\u3000'})
    CHECK(char_class(c) == CharClass::space);
  for (const char32_t c : {U'!', U'_', U'\u0301', U'\u200b', U'\u20ac', U'\U0001f600', U'\U0010ffff'})
    CHECK(char_class(c) == CharClass::other);
}
