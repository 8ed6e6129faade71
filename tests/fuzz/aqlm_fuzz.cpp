#include <basin/io/aqlm.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

// An input is a config.json if it starts with '{', else the safetensors file of one layer "p".
std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::small_aqlm(), basin::test::to_bytes(basin::test::small_aqlm_config)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0 && data[0] == '{') {
    const auto document = basin::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (!document) return 0;
    const auto config = basin::parse_aqlm_config(*document, "fuzz");
    if (config && !config->scheme.is_valid()) std::abort();
    return 0;
  }
  const auto file = basin::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) return 0;
  const basin::AqlmConfig config{{.num_codebooks = 1, .bits_per_code = 4, .in_group_size = 4, .out_group_size = 1}, {}};
  const auto layer = basin::read_aqlm_layer(*file, "p", config);
  if (!layer) return 0;
  // What was accepted can be stored again.
  basin::SafetensorsWriter writer;
  if (!basin::add_aqlm_layer(writer, "p", *layer)) std::abort();
  return 0;
}
