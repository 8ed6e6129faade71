#include <basin/pipeline/checkpoint.hpp>

#include <span>
#include <vector>

#include "fuzz/seeds.hpp"
#include "pipeline/record_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  std::vector<std::vector<std::byte>> seeds;
  const basin::test::RecordMemory memory = basin::test::small_records();
  for (const auto& [name, record] : *memory.records) seeds.push_back(record);
  return seeds;
}

// An exception that gets out ends the program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  basin::test::read_record({bytes.begin(), bytes.end()}, true);
  return 0;
}
