#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/scheme.hpp>

#include <charconv>
#include <string>
#include <string_view>

namespace basin {
/// "2x8g8"; with out_group_size > 1 "2x8g8o2".
[[nodiscard]] inline std::string to_string(const Scheme& scheme) {
  std::string text = concat(scheme.num_codebooks, 'x', scheme.bits_per_code, 'g', scheme.in_group_size);
  if (scheme.out_group_size != 1) text += concat('o', scheme.out_group_size);
  return text;
}

/// Reads "MxBgG" or "MxBgGoO". Error: bad_value, with the rule that the text breaks.
[[nodiscard]] inline Expected<Scheme> parse_scheme(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return Error{ErrorCode::bad_value, concat("scheme \"", text, "\": ", why)};
  };
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](int& value) {
    const auto [next, error] = std::from_chars(at, end, value);
    const bool ok = error == std::errc{} && next != at;
    at = next;
    return ok;
  };
  const auto letter = [&](char wanted) { return at != end && *at++ == wanted; };

  Scheme scheme;
  if (!number(scheme.num_codebooks) || !letter('x') || !number(scheme.bits_per_code) || !letter('g') ||
      !number(scheme.in_group_size))
    return fail("expected MxBgG, as in 2x8g8: M codebooks of B bits over groups of G inputs");
  if (at != end && (!letter('o') || !number(scheme.out_group_size) || at != end))
    return fail("only oN, the output group size, may follow MxBgG");
  if (!scheme.is_valid())
    return fail("needs 1 to 8 codebooks, 1 to 16 bits and 1 to 4096 weights per group");
  return scheme;
}

}  // namespace basin
