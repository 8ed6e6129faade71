#include <basin/io/gguf.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() { return {basin::test::small_gguf(), basin::test::small_gguf(8)}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = basin::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) {
    if (file.error().message.empty()) std::abort();
    return 0;
  }
  const basin::GgufMetadata& metadata = file->metadata();
  for (const std::string& key : metadata.keys()) {
    int readable = 0;
    readable += static_cast<bool>(metadata.get_i64(key)) + static_cast<bool>(metadata.get_u64(key));
    readable += static_cast<bool>(metadata.get_u32(key)) + static_cast<bool>(metadata.get_f32(key));
    readable += static_cast<bool>(metadata.get_bool(key)) + static_cast<bool>(metadata.get_string(key));
    readable += static_cast<bool>(metadata.get_strings(key)) + static_cast<bool>(metadata.get_integers(key));
    readable += static_cast<bool>(metadata.get_floats(key));
    if (readable > 3) std::abort();
  }
  for (const basin::GgufTensor& tensor : file->tensors()) {
    if (file->find(tensor.name) != &tensor) std::abort();
    if (const auto values = file->dequantize(tensor); values && values->size() > 8 * size) std::abort();
  }
  return 0;
}
