// A hostile GGUF file whose tensors get other types and values: what is written can be read again.
#include <basin/io/gguf_export.hpp>

#include <algorithm>
#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() { return {basin::test::small_gguf(), basin::test::small_gguf(8), basin::test::small_q2_k_gguf()}; }

namespace {
constexpr std::size_t max_size = std::size_t{1} << 20;

/// One of: nothing, its own values as another type, levels from its own bytes.
basin::Status change(basin::GgufExport& exported, const basin::GgufTensor& tensor, std::size_t choice) {
  using basin::GgufType;
  constexpr GgufType types[] = {GgufType::f32, GgufType::f16, GgufType::q8_0, GgufType::q4_0};
  if (choice % 3 == 0 || tensor.data.empty()) return basin::Done{};
  if (choice % 3 == 1) return exported.convert(tensor.name, types[choice / 3 % 4]);
  return exported.set_levels(
      tensor.name,
      [&tensor]() -> basin::Expected<basin::GgufExport::Levels> {
        const auto count = static_cast<std::size_t>(tensor.num_elements());
        basin::GgufExport::Levels levels;
        for (std::size_t i = 0; i < count; ++i) levels.codes.push_back(std::to_integer<std::uint8_t>(tensor.data[i % tensor.data.size()]) % 4);
        levels.scales.assign(count / static_cast<std::size_t>(tensor.shape.empty() ? 1 : tensor.shape.back()), 0.5f);
        return levels;
      },
      types[choice / 3 % 4]);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = basin::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) return 0;
  basin::GgufExport exported(*file);
  std::size_t choice = data[size - 1];
  for (const basin::GgufTensor& tensor : file->tensors())
    if (const auto changed = change(exported, tensor, choice++); !changed && changed.error().message.empty()) std::abort();
  const auto writer = exported.prepare();
  if (!writer) return 0;
  basin::test::Bytes bytes;
  const basin::Status wrote = writer->write_to([&](std::span<const std::byte> next) -> basin::Status {
    if (bytes.size() + next.size() > max_size) return basin::Error{basin::ErrorCode::too_large, "enough"};
    bytes.insert(bytes.end(), next.begin(), next.end());
    return basin::Done{};
  });
  if (!wrote) return 0;  // a value that the type cannot hold
  const auto copy = basin::GgufFile::parse(bytes, "copy");
  if (!copy || copy->tensors().size() != file->tensors().size()) std::abort();
  for (const basin::GgufTensor& tensor : file->tensors()) {
    const basin::GgufTensor* const made = copy->find(tensor.name);
    const auto type = exported.type_of(tensor.name);
    if (made == nullptr || !type || made->type != *type || made->shape != tensor.shape) std::abort();
    if (made->type == tensor.type && *type != 10 && !std::ranges::equal(made->data, tensor.data) && made->data.size() != tensor.data.size()) std::abort();
  }
  return 0;
}
