// A hostile model.safetensors.index.json beside two shards.
#include <basin/io/safetensors_model.hpp>

#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() { return {basin::test::to_bytes(basin::test::small_index)}; }

namespace {
const basin::test::TempFolder& folder() {
  static const basin::test::TempFolder with_shards;
  static const bool once = [] {
    basin::test::write_file(with_shards / "1.safetensors", basin::test::small_shard("a"));
    basin::test::write_file(with_shards / "2.safetensors", basin::test::small_shard("b"));
    return true;
  }();
  static_cast<void>(once);
  return with_shards;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::filesystem::path path = folder() / "index.json";
  basin::test::write_file(path, std::as_bytes(std::span(data, size)));
  const auto model = basin::SafetensorsModel::open(path);
  if (!model) {
    if (model.error().message.empty()) std::abort();
    return 0;
  }
  if (model->files().size() > 2 || model->tensors().size() > 2) std::abort();
  for (const basin::SafetensorsTensor* tensor : model->tensors())
    if (model->find(tensor->name) != tensor || tensor->data.size() != 8) std::abort();
  return 0;
}
