#pragma once

#include "aqlm_model.hpp"
#include "gguf_model.hpp"
#include "model.hpp"
#include "tokenizer.hpp"

#include <filesystem>
#include <string>

namespace llama {
struct LoadedModel {
  Model model;
  Tokenizer tokenizer;
};

/// A GGUF file, or a directory in AQLM layout.
inline LoadedModel load_model(const std::string& path) {
  const auto load = [](const auto& source) {
    return LoadedModel{build_model(source.config(), source), source.tokenizer()};
  };
  return std::filesystem::is_directory(path) ? load(AqlmModel(path)) : load(GgufModel(path));
}

}  // namespace llama
