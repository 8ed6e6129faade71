#pragma once

#include "../support/fail.hpp"
#include "unicode.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace llama {
using Token = std::int32_t;

/// What a tokenizer is made of, as files store it: tokens are in the byte-level alphabet, where
/// every byte is one printable character (a space is U+0120).
struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<bool> special;  ///< control tokens: never produced from text
  std::vector<std::pair<std::string, std::string>> merges;  ///< most urgent first
  bool split_digits = true;   ///< "smollm" splits digits one by one, "gpt-2" does not
  Token bos = -1, eos = -1;   ///< -1 where there is none
};

/// "a b", as merge tables are stored, into its pair.
inline std::pair<std::string, std::string> split_merge(const std::string& merge) {
  const std::size_t space = merge.find(' ', 1);
  if (space == std::string::npos) support::fail("tokenizer: the merge '", merge, "' is not a pair");
  return {merge.substr(0, space), merge.substr(space + 1)};
}

namespace detail {
struct Char {
  char32_t code;
  std::size_t length;  // bytes
};

/// The character at `at`; a byte that is not valid UTF-8 counts as a character of its own.
inline Char char_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const Char invalid{0xfffd, 1};
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return invalid;
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return invalid;
    code = (code << 6) | (byte(i) & 0x3fu);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return code < smallest[length] || code > 0x10ffff ? invalid : Char{code, length};
}

inline std::string utf8(char32_t code) {  // of the byte-level alphabet: below U+0800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

/// The printable character that stands for each byte.
inline std::array<char32_t, 256> byte_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 256;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable = (b > 32 && b < 127) || (b > 160 && b != 173);
    alphabet[b] = printable ? b : next++;
  }
  return alphabet;
}
}  // namespace detail

/// Byte-level byte-pair encoding: text is cut into words (GPT-2's rule), words into bytes, and
/// neighboring pieces are merged in the order of the merge table.
class Tokenizer {
 public:
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
    const Vocabulary& v = vocabulary_;
    if (v.special.size() != v.tokens.size())
      support::fail("tokenizer: ", v.tokens.size(), " tokens but ", v.special.size(), " token types");
    for (std::size_t i = 0; i < v.tokens.size(); ++i) ids_.emplace(v.tokens[i], Token(i));
    const auto alphabet = detail::byte_alphabet();
    for (std::size_t b = 0; b < 256; ++b) {
      byte_of_.emplace(alphabet[b], static_cast<char>(b));
      byte_ids_[b] = id_of(detail::utf8(alphabet[b]));
    }
    for (const auto& [left, right] : v.merges) {
      const Token a = id_of(left), b = id_of(right), merged = id_of(left + right);
      if (a < 0 || b < 0 || merged < 0)
        support::fail("tokenizer: the merge '", left, ' ', right, "' names a token that is missing");
      merges_.emplace(key(a, b), Merge{merges_.size(), merged});
    }
  }

  [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
  [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.tokens.size(); }
  /// The id of a token as the vocabulary spells it; -1 where there is none.
  [[nodiscard]] Token id_of(const std::string& token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }

  /// Special tokens are not looked for: "<unk>" is five characters. A byte that has no token (the
  /// bytes that UTF-8 never uses may lack one) is left out.
  [[nodiscard]] std::vector<Token> encode(std::string_view text) const {
    std::vector<Token> out;
    std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen;  // in `out`
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view word = text.substr(at, word_end(text, at) - at);
      at += word.size();
      const auto [entry, is_new] = seen.try_emplace(word, out.size(), 0);
      auto& [first, count] = entry->second;
      if (is_new) {
        append_word(word, out);
        count = out.size() - first;
      } else {
        for (std::size_t i = 0; i < count; ++i) out.push_back(out[first + i]);
      }
    }
    return out;
  }

  /// The bytes of one token; a token may end inside a UTF-8 character.
  [[nodiscard]] std::string decode(Token id) const {
    const auto i = static_cast<std::size_t>(id);
    if (id < 0 || i >= size()) support::fail("tokenizer: there is no token ", id);
    const std::string& token = vocabulary_.tokens[i];
    if (vocabulary_.special[i]) return token;
    std::string bytes;
    for (std::size_t at = 0; at < token.size();) {
      const detail::Char c = detail::char_at(token, at);
      const auto byte = byte_of_.find(c.code);
      if (byte == byte_of_.end()) bytes.append(token, at, c.length);
      else bytes.push_back(byte->second);
      at += c.length;
    }
    return bytes;
  }
  [[nodiscard]] std::string decode(const std::vector<Token>& ids) const {
    std::string text;
    for (const Token id : ids) text += decode(id);
    return text;
  }

 private:
  struct Merge {
    std::size_t rank;
    Token merged;
  };
  static std::uint64_t key(Token a, Token b) {
    return (std::uint64_t{static_cast<std::uint32_t>(a)} << 32) | static_cast<std::uint32_t>(b);
  }

  /// Where the word that starts at `at` ends: GPT-2's rule
  ///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  /// after the text has been cut around every digit, where split_digits asks for it.
  std::size_t word_end(std::string_view text, std::size_t at) const {
    for (const std::string_view suffix : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
      if (text.substr(at, suffix.size()) == suffix) return at + suffix.size();
    const auto class_at = [&](std::size_t i) { return char_class(detail::char_at(text, i).code); };
    const auto next = [&](std::size_t i) { return i + detail::char_at(text, i).length; };
    const bool split = vocabulary_.split_digits;
    const auto cut_at = [&](std::size_t i) {
      return i == text.size() || (split && class_at(i) == CharClass::number);
    };
    if (split && class_at(at) == CharClass::number) return next(at);

    const bool leading_space =
        text[at] == ' ' && !cut_at(at + 1) && class_at(at + 1) != CharClass::space;
    const std::size_t start = leading_space ? at + 1 : at;
    const CharClass kind = class_at(start);
    std::size_t end = next(start), last = start;
    while (!cut_at(end) && class_at(end) == kind) {
      last = end;
      end = next(end);
    }
    // White space leaves its last character to the word behind it, unless it is its only one.
    if (kind == CharClass::space && !cut_at(end) && last != start) return last;
    return end;
  }

  /// Merges the most urgent pair, leftmost first, until none is left: O(n log n).
  void append_word(std::string_view word, std::vector<Token>& out) const {
    struct Piece {
      Token id;
      int left, right;  // neighbors
    };
    std::vector<Piece> pieces;
    for (const char c : word) {
      const Token id = byte_ids_[static_cast<unsigned char>(c)];
      const int n = static_cast<int>(pieces.size());
      if (id >= 0) pieces.push_back({id, n - 1, n + 1});
    }
    if (pieces.empty()) return;
    pieces.back().right = -1;

    using Candidate = std::tuple<std::size_t, int, Token, Token>;  // rank, left piece, both ids
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto at = [&](int i) -> Piece& { return pieces[static_cast<std::size_t>(i)]; };
    const auto consider = [&](int left) {
      if (left < 0 || at(left).right < 0) return;
      const Token a = at(left).id, b = at(at(left).right).id;
      if (const auto found = merges_.find(key(a, b)); found != merges_.end())
        queue.emplace(found->second.rank, left, a, b);
    };
    for (int i = 0; i < static_cast<int>(pieces.size()); ++i) consider(i);
    while (!queue.empty()) {
      const auto [rank, left, a, b] = queue.top();
      queue.pop();
      const int right = at(left).right;
      if (at(left).id != a || right < 0 || at(right).id != b) continue;  // merged meanwhile
      at(left).id = merges_.at(key(a, b)).merged;
      at(left).right = at(right).right;
      if (at(right).right >= 0) at(at(right).right).left = left;
      at(right).id = -1;
      consider(at(left).left);
      consider(left);
    }
    for (int i = 0; i >= 0; i = at(i).right) out.push_back(at(i).id);
  }

  Vocabulary vocabulary_;
  std::unordered_map<std::string, Token> ids_;
  std::unordered_map<char32_t, char> byte_of_;
  std::array<Token, 256> byte_ids_{};
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace llama
