// A hostile tokenizer.json of the example engine, and a tokenizer made of it on the file's own text.
#include <cstdlib>
#include <stdexcept>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"
#include "llama/tokenizer_json.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::to_bytes(R"({"added_tokens": [{"id": 3, "content": "<s>"}], "normalizer": null,
 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
 {"type": "ByteLevel", "add_prefix_space": false}]},
 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})"),
          basin::test::to_bytes(R"({"added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
 "model": {"type": "BPE", "vocab": {"e": 0, "n": 1, "d": 2, "en": 3, "end": 4, "\u0120": 5}, "merges": [["e", "n"], ["en", "d"]]}})")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = basin::parse_json(text, "fuzz");
  if (!document) return 0;
  try {
    const llama::Tokenizer tokenizer(llama::parse_tokenizer_json(*document, "fuzz"));
    if (tokenizer.size() > size) std::abort();
    const std::vector<llama::Token> ids = tokenizer.encode(text);
    if (ids.size() > size) std::abort();
    for (const llama::Token id : ids)
      if (id < 0 || static_cast<std::size_t>(id) >= tokenizer.size()) std::abort();
    static_cast<void>(tokenizer.decode(ids));
  } catch (const std::runtime_error& error) {  // support::fail
    if (*error.what() == '\0') std::abort();
  }
  return 0;
}
