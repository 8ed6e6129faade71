#pragma once

#include "aqlm_model.hpp"
#include "gguf_model.hpp"
#include "model.hpp"
#include "tokenizer.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace llama {
struct LoadedModel {
  Model model;
  Tokenizer tokenizer;
};

inline std::vector<std::pair<std::string, Product>> product_names() {
  return {{"dense", Product::dense}, {"dequantize", Product::dequantize}, {"exact", Product::exact}, {"int16", Product::int16}, {"int8", Product::int8}};
}

/// --product, for programs that run a model.
inline void add_product_option(CLI::App& app, Product& product) {
  app.add_option("--product", product,
                 "how quantized layers are multiplied: dense (decoded when loaded), dequantize (decoded tile by tile),\n"
                 "or straight from codes by tables of exact, int16 or int8 entries (dense)")
      ->transform(CLI::Transformer(product_names()))
      ->type_name("TEXT:{dense,dequantize,exact,int16,int8}");
}

/// A GGUF file, or a directory in AQLM layout.
inline LoadedModel load_model(const std::string& path, Product product = Product::dense) {
  const auto load = [](const auto& source) {
    return LoadedModel{build_model(source.config(), source), source.tokenizer()};
  };
  return std::filesystem::is_directory(path) ? load(AqlmModel(path, product)) : load(GgufModel(path));
}

}  // namespace llama
