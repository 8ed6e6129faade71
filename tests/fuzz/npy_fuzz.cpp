#include <basin/io/npy.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::small_npy(), basin::test::small_npy(2), basin::test::small_npy(1, true)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto array = basin::parse_npy<double>(bytes, "fuzz");
  if (array.has_value() != basin::parse_npy<float>(bytes, "fuzz").has_value()) std::abort();
  if (array && array->data.size() > size) std::abort();
  return 0;
}
