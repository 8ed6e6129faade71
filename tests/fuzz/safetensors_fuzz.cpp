#include <basin/io/safetensors_file.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::small_safetensors(), basin::test::small_aqlm()};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = basin::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) {
    if (file.error().message.empty()) std::abort();
    return 0;
  }
  std::size_t total = 0;
  for (const basin::SafetensorsTensor& tensor : file->tensors()) {
    if (file->find(tensor.name) != &tensor) std::abort();
    total += tensor.data.size();
    if (const auto values = basin::read_floats(tensor); values && values->size() != static_cast<std::size_t>(tensor.num_elements()))
      std::abort();
  }
  if (total > size) std::abort();
  return 0;
}
