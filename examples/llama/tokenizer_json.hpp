#pragma once

#include "../support/output_file.hpp"
#include "tokenizer.hpp"

#include <basin/io/json_text.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace llama {
/// Writes a tokenizer as Hugging Face's `tokenizer.json` (model BPE, byte level), which the
/// `tokenizers` and `transformers` packages read as well. The ids of the tokens that begin and end
/// a text are not in it: they belong to config.json.
inline void write_tokenizer_json(const std::string& path, const Vocabulary& v) {
  using Json = nlohmann::ordered_json;
  Json added = Json::array(), tokens = Json::object(), merges = Json::array();
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    if (!tokens.emplace(v.tokens[id], id).second)
      support::fail("tokenizer: the token '", v.tokens[id], "' occurs twice; tokenizer.json cannot hold it");
    if (v.special[id])
      added.push_back({{"id", id}, {"content", v.tokens[id]}, {"single_word", false}, {"lstrip", false},
                       {"rstrip", false}, {"normalized", false}, {"special", true}});
  }
  for (const auto& [left, right] : v.merges) merges.push_back(left + ' ' + right);
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  Json cutters = Json::array();
  if (v.split_digits) cutters.push_back({{"type", "Digits"}, {"individual_digits", true}});
  cutters.push_back(byte_level);
  const Json document = {
      {"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added},
      {"normalizer", nullptr}, {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", cutters}}},
      {"post_processor", nullptr}, {"decoder", byte_level},
      {"model", {{"type", "BPE"}, {"dropout", nullptr}, {"unk_token", nullptr},
                 {"continuing_subword_prefix", nullptr}, {"end_of_word_suffix", nullptr},
                 {"fuse_unk", false}, {"vocab", std::move(tokens)}, {"merges", std::move(merges)}}}};
  support::write_json(path, document);
}

/// From what write_tokenizer_json writes, and other byte-level BPE tokenizers without a normalizer.
/// `path` stands for the document in messages.
inline Vocabulary parse_tokenizer_json(const nlohmann::json& document, const std::string& path) {
  try {
    const auto& model = document.at("model");
    Vocabulary v;
    v.split_digits = false;
    bool byte_level = false;
    const auto see_cutter = [&](const nlohmann::json& cutter) {
      const std::string type = cutter.at("type");
      if (type == "Digits" && cutter.at("individual_digits") == true) v.split_digits = true;
      else if (type == "ByteLevel" && cutter.at("add_prefix_space") == false) byte_level = true;
      else support::fail(path, ": pre-tokenizer \"", type, "\" is not supported by this engine");
    };
    const auto& cutter = document.at("pre_tokenizer");
    if (cutter.at("type") == "Sequence")
      for (const auto& each : cutter.at("pretokenizers")) see_cutter(each);
    else see_cutter(cutter);
    const bool normalizes = document.contains("normalizer") && !document.at("normalizer").is_null();
    if (model.at("type") != "BPE" || !byte_level || normalizes)
      support::fail(path, ": not a byte-level BPE tokenizer without a normalizer; this engine has no other");

    const auto& tokens = model.at("vocab");
    const auto& added = document.at("added_tokens");
    const std::size_t most = tokens.size() + added.size();
    const auto put = [&](const std::string& token, const nlohmann::json& number, bool special) {
      const auto* const id_in = number.get_ptr<const nlohmann::json::number_unsigned_t*>();
      if (id_in == nullptr || *id_in >= most) support::fail(path, ": token id ", number.dump(), " is out of range");
      const auto id = static_cast<std::size_t>(*id_in);
      if (v.tokens.size() <= id) {
        v.tokens.resize(id + 1);
        v.special.resize(id + 1);
      }
      v.tokens[id] = token;
      v.special[id] = special;
    };
    for (const auto& [token, id] : tokens.items()) put(token, id, false);
    for (const auto& token : added) put(token.at("content"), token.at("id"), true);
    for (const auto& merge : model.at("merges")) {
      if (merge.is_string()) v.merges.push_back(split_merge(merge));
      else v.merges.emplace_back(merge.at(0), merge.at(1));
    }
    return v;
  } catch (const nlohmann::json::exception& error) {
    support::fail(path, ": not a tokenizer.json: ", std::string(error.what()));
  }
}
inline Vocabulary read_tokenizer_json(const std::string& path) {
  return parse_tokenizer_json(support::take(basin::read_json(path)), path);
}

}  // namespace llama
