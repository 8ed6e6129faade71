#include <basin/io/level_checkpoint.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() { return {basin::test::small_level_checkpoint()}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = basin::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) return 0;
  // The width comes from elsewhere, so it may be anything too.
  for (const std::int64_t n_in : {std::int64_t{5}, std::int64_t{64}, std::int64_t{1} << 61, INT64_MAX, std::int64_t{-1}}) {
    const auto layer = basin::read_level_layer(*file, "p", n_in);
    if (!layer) {
      if (layer.error().message.empty()) std::abort();
      continue;
    }
    if (layer->codes.size() > 8 * size || layer->n_in != n_in) std::abort();
    // What was accepted can be stored again.
    basin::SafetensorsWriter writer;
    if (!basin::add_level_layer(writer, "p", *layer)) std::abort();
  }
  return 0;
}
