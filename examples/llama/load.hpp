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

/// --activation-bits and --kv-bits, for programs that run a model; 0 is what its directory says.
struct RunBits {
  int activation = 0, kv = 0;

  void add_to(CLI::App& app) {
    app.add_option("--activation-bits", activation, "inputs of layers of scalar levels in 4, 8 or 16 bits (as the model says)")
        ->check(CLI::IsMember({4, 8, 16}));
    app.add_option("--kv-bits", kv, "keys and values in 4 or 16 bits (as the model says)")->check(CLI::IsMember({4, 16}));
  }
};

/// A GGUF file, or a directory in AQLM layout.
inline LoadedModel load_model(const std::string& path, Product product = Product::dense, const RunBits& bits = {}) {
  const auto load = [](const auto& source) {
    return LoadedModel{build_model(source.config(), source), source.tokenizer()};
  };
  if (std::filesystem::is_directory(path)) {
    AqlmModel source(path, product);
    source.choose_bits(bits.activation, bits.kv);
    return load(source);
  }
  LoadedModel loaded = load(GgufModel(path));
  if (bits.kv != 0) loaded.model.config.kv_bits = bits.kv;
  return loaded;
}

}  // namespace llama
