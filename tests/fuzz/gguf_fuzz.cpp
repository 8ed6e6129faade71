#include <basin/io/gguf.hpp>
#include <basin/io/gguf_writer.hpp>

#include <algorithm>
#include <cstdlib>

#include "fuzz/seeds.hpp"
#include "io/io_seeds.hpp"

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {basin::test::small_gguf(), basin::test::small_gguf(8), basin::test::small_q2_k_gguf()};
}

namespace {
// Empty when the writer refuses the file, or its alignment makes it large.
basin::test::Bytes copy_of(const basin::GgufFile& file) {
  constexpr std::size_t max_size = std::size_t{1} << 20;
  basin::GgufWriter writer;
  if (!writer.copy_metadata(file.metadata())) return {};
  for (const basin::GgufTensor& tensor : file.tensors())
    if (!writer.add(tensor.name, tensor.type, tensor.shape, tensor.data)) return {};
  basin::test::Bytes bytes;
  const basin::Status wrote = writer.write_to([&](std::span<const std::byte> next) -> basin::Status {
    if (bytes.size() + next.size() > max_size) return basin::Error{basin::ErrorCode::too_large, "enough"};
    bytes.insert(bytes.end(), next.begin(), next.end());
    return basin::Done{};
  });
  if (!wrote && wrote.error().message != "enough") std::abort();
  return wrote ? bytes : basin::test::Bytes();
}

// What was read is written so that it reads the same, and is written the same.
void check_copy(const basin::GgufFile& file) {
  const basin::test::Bytes bytes = copy_of(file);
  if (bytes.empty()) return;
  const auto copy = basin::GgufFile::parse(bytes, "copy");
  if (!copy || copy_of(*copy) != bytes) std::abort();
  if (copy->metadata().keys_as_stored() != file.metadata().keys_as_stored()) std::abort();
  for (const std::string& key : file.metadata().keys())
    if (!std::ranges::equal(*copy->metadata().stored(key), *file.metadata().stored(key))) std::abort();
  if (copy->tensors().size() != file.tensors().size()) std::abort();
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const basin::GgufTensor &a = copy->tensors()[i], &b = file.tensors()[i];
    if (a.name != b.name || a.type != b.type || a.shape != b.shape || !std::ranges::equal(a.data, b.data)) std::abort();
  }
}
}  // namespace

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
  check_copy(*file);
  return 0;
}
