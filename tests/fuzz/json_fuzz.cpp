#include <basin/io/aqlm_config.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::to_bytes(basin::test::small_aqlm_config), basin::test::to_bytes(basin::test::small_json),
          basin::test::to_bytes(basin::test::small_index)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto document = basin::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!document) {
    if (document.error().message.empty()) std::abort();
    return 0;
  }
  // What was accepted is written so that it reads the same.
  const auto again = basin::parse_json(document->dump(), "again");
  if (!again || *again != *document) std::abort();
  const auto config = basin::parse_aqlm_config(*document, "fuzz");
  if (!config) return 0;
  if (!config->scheme.is_valid()) std::abort();
  nlohmann::json base = *document;
  if (!basin::add_aqlm_config(base, *config)) std::abort();
  const auto same = basin::parse_aqlm_config(base, "same");
  if (!same || same->scheme != config->scheme || same->linear_weights_not_to_quantize != config->linear_weights_not_to_quantize) std::abort();
  return 0;
}
