#pragma once

#include "load.hpp"
#include "product.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <utility>
#include <vector>

namespace llama {
inline std::vector<std::pair<std::string, Product>> product_names() {
  return {{"dense", Product::dense}, {"dequantize", Product::dequantize}, {"exact", Product::exact}, {"int16", Product::int16}, {"int8", Product::int8}};
}

/// --product, --activation-bits and --kv-bits, for programs that run a model.
inline void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("--product", options.product,
                 "how quantized layers are multiplied: dense (decoded when loaded), dequantize (decoded tile by tile),\n"
                 "or straight from codes by tables of exact, int16 or int8 entries (dense).\n"
                 "Layers of scalar levels: int8 multiplies integers, inputs in 8 bits or in the 4 of --activation-bits; all else is\n"
                 "dense, int8 too where levels are not four small integers (lloyd_max, nf2, int3, int4, w_asym)")
      ->transform(CLI::Transformer(product_names()))
      ->type_name("TEXT:{dense,dequantize,exact,int16,int8}");
  app.add_option("--activation-bits", options.activation_bits, "inputs of layers of scalar levels in 4, 8 or 16 bits (as the model says)")
      ->check(CLI::IsMember({4, 8, 16}));
  app.add_option("--kv-bits", options.kv_bits, "keys and values in 4 or 16 bits (as the model says)")->check(CLI::IsMember({4, 16}));
}

}  // namespace llama
