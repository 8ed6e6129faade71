#pragma once

#include "aqlm_model.hpp"
#include "gguf_model.hpp"
#include "model.hpp"
#include "product.hpp"
#include "tokenizer.hpp"

#include <filesystem>
#include <string>

namespace llama {
struct LoadedModel {
  Model model;
  Tokenizer tokenizer;
};

/// How a program runs a model. Bits of 0 are what its directory says.
struct RunOptions {
  Product product = Product::dense;
  int activation_bits = 0;  ///< 4, 8 or 16, of layers of scalar levels
  int kv_bits = 0;          ///< 4 or 16
};

/// A GGUF file, or a directory in AQLM layout.
inline LoadedModel load_model(const std::string& path, const RunOptions& options = {}) {
  const auto load = [](const auto& source) {
    return LoadedModel{build_model(source.config(), source), source.tokenizer()};
  };
  if (std::filesystem::is_directory(path)) {
    AqlmModel source(path, options.product);
    source.choose_bits(options.activation_bits, options.kv_bits);
    return load(source);
  }
  LoadedModel loaded = load(GgufModel(path));
  if (options.kv_bits != 0) loaded.model.config.kv_bits = options.kv_bits;
  return loaded;
}

}  // namespace llama
