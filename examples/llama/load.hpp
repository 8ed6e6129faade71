#pragma once

#include "gguf_model.hpp"
#include "model.hpp"
#include "tokenizer.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace llama {
struct LoadedModel {
  Model model;
  Tokenizer tokenizer;
};

/// A GGUF file, or a directory in AQLM layout.
inline LoadedModel load_model(const std::string& path) {
  const GgufModel file(path);
  return {build_model(file.config(), file), file.tokenizer()};
}

}  // namespace llama
