#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/gguf_blocks.hpp>
#include <basin/io/gguf_metadata.hpp>
#include <basin/io/mapped_file.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// One tensor of a GGUF file, undecoded.
struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;            ///< GGUF's number; see GgufType and gguf_type_table
  std::vector<std::int64_t> shape;   ///< row-major, outermost first (GGUF stores the reverse)
  std::uint64_t offset = 0;          ///< of the data, from the start of the file
  std::span<const std::byte> data;   ///< inside the file, valid as long as the GgufFile

  [[nodiscard]] std::int64_t num_elements() const noexcept {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return count;
  }
};

/// A GGUF file, version 2 or 3, little-endian: metadata and tensors, decoded on demand.
///
/// Checked   at open: every count, length and offset against the bytes present, products for
///           overflow, at most 4 dimensions, alignment a power of two, names unique, no two
///           tensors over the same bytes. A tensor of a type unknown to gguf_type_table is
///           listed with empty data.
/// Cost      O(header); tensor data is not touched before dequantize.
/// Accuracy  dequantize equals the scalar definition of the type: one float rounding per operation.
class GgufFile {
 public:
  /// Errors: cannot_open and those of parse.
  [[nodiscard]] static Expected<GgufFile> open(const std::filesystem::path& path) {
    Expected<MappedFile> mapped = MappedFile::open(path);
    if (!mapped) return mapped.error();
    Expected<GgufFile> file = parse(mapped->bytes(), path.string());
    if (file) file->mapped_ = std::move(*mapped);
    return file;
  }
  /// From bytes that outlive the result; `name` stands for the file in errors.
  /// Errors: bad_magic, truncated, unsupported, bad_value, too_large.
  [[nodiscard]] static Expected<GgufFile> parse(std::span<const std::byte> bytes, std::string name);

  [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
  [[nodiscard]] const GgufMetadata& metadata() const noexcept { return metadata_; }
  /// In the order of the file.
  [[nodiscard]] const std::vector<GgufTensor>& tensors() const noexcept { return tensors_; }
  /// Null when there is none of that name.
  [[nodiscard]] const GgufTensor* find(std::string_view name) const noexcept {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : &tensors_[at->second];
  }

  /// @param tensor  one of this file's.
  /// @param out     num_elements() floats, row-major.
  /// Errors: unsupported (no decoder for the type), shape_mismatch (size of out).
  [[nodiscard]] Status dequantize(const GgufTensor& tensor, std::span<float> out) const;
  [[nodiscard]] Expected<std::vector<float>> dequantize(const GgufTensor& tensor) const;

 private:
  Error fail(ErrorCode code, std::uint64_t offset, std::string_view what) const {
    return {code, concat(name_, ": ", what, " (byte ", offset, ")"), offset};
  }
  Status check_decodable(const GgufTensor& tensor) const;
  Status read_tensor_info(ByteReader& reader);
  Status place_tensors(std::span<const std::byte> bytes, std::uint64_t data_start,
                       std::uint64_t alignment);

  std::string name_;
  std::uint32_t version_ = 0;
  GgufMetadata metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  MappedFile mapped_;
};

inline Expected<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file;
  file.name_ = std::move(name);
  ByteReader reader(bytes);
  std::string_view magic;
  if (!reader.read_text(4, magic) || magic != "GGUF")
    return file.fail(ErrorCode::bad_magic, 0, "not a GGUF file: it does not start with \"GGUF\"");
  if (!reader.read(file.version_))
    return file.fail(ErrorCode::truncated, reader.offset(), "the file ends inside its header");
  if (file.version_ != 2 && file.version_ != 3)
    return file.fail(ErrorCode::unsupported, 4,
                     concat("GGUF version ", file.version_,
                            " is not supported; convert to version 3, little-endian"));
  std::int64_t num_tensors = 0, num_keys = 0;
  if (!reader.read(num_tensors) || !reader.read(num_keys))
    return file.fail(ErrorCode::truncated, reader.offset(), "the file ends inside its header");
  // A key takes at least 13 bytes and a tensor 24, so larger counts cannot be true.
  if (num_keys < 0 || static_cast<std::uint64_t>(num_keys) > reader.remaining() / 13 ||
      num_tensors < 0 || static_cast<std::uint64_t>(num_tensors) > reader.remaining() / 24)
    return file.fail(ErrorCode::truncated, 8,
                     concat("the header promises ", num_tensors, " tensors and ", num_keys,
                            " keys, more than the file has room for"));

  Expected<GgufMetadata> metadata = GgufMetadata::parse(reader, num_keys, file.name_);
  if (!metadata) return metadata.error();
  file.metadata_ = std::move(*metadata);
  std::uint32_t alignment = 32;
  if (file.metadata_.contains("general.alignment")) {
    const Expected<std::uint32_t> stated = file.metadata_.get_u32("general.alignment");
    if (!stated) return stated.error();
    alignment = *stated;
    if (!std::has_single_bit(alignment))
      return file.fail(ErrorCode::bad_value, reader.offset(),
                       concat("general.alignment is ", alignment, ", not a power of two"));
  }

  file.tensors_.reserve(static_cast<std::size_t>(num_tensors));
  for (std::int64_t i = 0; i < num_tensors; ++i)
    if (const Status read = file.read_tensor_info(reader); !read) return read.error();
  const std::uint64_t past = reader.offset() % alignment;
  const std::uint64_t data_start = reader.offset() + (past == 0 ? 0 : alignment - past);
  if (const Status placed = file.place_tensors(bytes, data_start, alignment); !placed)
    return placed.error();
  return file;
}

inline Status GgufFile::read_tensor_info(ByteReader& reader) {
  const std::uint64_t start = reader.offset();
  const auto cut = [&] {
    return fail(ErrorCode::truncated, reader.offset(),
                concat("the file ends inside the description of tensor ", tensors_.size()));
  };
  GgufTensor tensor;
  std::uint64_t name_length = 0;
  std::string_view name;
  if (!reader.read(name_length)) return cut();
  if (name_length > GgufMetadata::max_name_length)
    return fail(ErrorCode::too_large, start, concat("a tensor name of ", name_length, " bytes"));
  if (!reader.read_text(name_length, name)) return cut();
  tensor.name = name;
  const auto bad = [&](ErrorCode code, std::string_view why) {
    return fail(code, start, concat("tensor \"", name, "\": ", why));
  };

  std::uint32_t rank = 0;
  if (!reader.read(rank)) return cut();
  if (rank > 4) return bad(ErrorCode::bad_value, concat(rank, " dimensions; at most 4 are allowed"));
  for (std::uint32_t i = 0; i < rank; ++i) {
    std::int64_t extent = 0;
    if (!reader.read(extent)) return cut();
    tensor.shape.push_back(extent);
  }
  if (!reader.read(tensor.type) || !reader.read(tensor.offset)) return cut();
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  const Expected<std::uint64_t> size = gguf_tensor_bytes(find_gguf_type(tensor.type), tensor.shape);
  if (!size) return bad(size.error().code, size.error().message);
  if (!index_.emplace(tensor.name, tensors_.size()).second)
    return bad(ErrorCode::bad_value, "the name occurs twice");
  tensors_.push_back(std::move(tensor));
  return Done{};
}

inline Status GgufFile::place_tensors(std::span<const std::byte> bytes, std::uint64_t data_start,
                                      std::uint64_t alignment) {
  for (GgufTensor& tensor : tensors_) {
    const auto bad = [&](ErrorCode code, std::string_view why) {
      return fail(code, tensor.offset, concat("tensor \"", tensor.name, "\": ", why));
    };
    const std::uint64_t size = *gguf_tensor_bytes(find_gguf_type(tensor.type), tensor.shape);
    if (tensor.offset % alignment != 0)
      return bad(ErrorCode::bad_value,
                 concat("its offset ", tensor.offset, " is not a multiple of ", alignment));
    const std::uint64_t available = bytes.size() > data_start ? bytes.size() - data_start : 0;
    if (tensor.offset > available || size > available - tensor.offset)
      return bad(ErrorCode::truncated,
                 concat("its ", size, " bytes at offset ", tensor.offset, " reach past the ", available,
                        " bytes of data; the file may be cut short"));
    tensor.offset += data_start;
    if (size == 0) continue;  // the offset may be past the end
    tensor.data = bytes.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(size));
  }
  std::vector<const GgufTensor*> by_offset;
  by_offset.reserve(tensors_.size());
  for (const GgufTensor& tensor : tensors_) by_offset.push_back(&tensor);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const GgufTensor& before = *by_offset[i - 1];
    const GgufTensor& after = *by_offset[i];
    if (after.offset < before.offset + before.data.size())
      return fail(ErrorCode::bad_value, after.offset,
                  concat("tensors \"", before.name, "\" and \"", after.name, "\" overlap"));
  }
  return Done{};
}

inline Status GgufFile::check_decodable(const GgufTensor& tensor) const {
  if (gguf_blocks::find_decoder(tensor.type) != nullptr) return Done{};
  const GgufTypeInfo* const info = find_gguf_type(tensor.type);
  return fail(ErrorCode::unsupported, tensor.offset,
              concat("tensor \"", tensor.name, "\" is ", info ? info->name : "of an unknown type",
                     ", which basin cannot decode; convert the model to F16 or Q8_0"));
}

inline Status GgufFile::dequantize(const GgufTensor& tensor, std::span<float> out) const {
  if (const Status decodable = check_decodable(tensor); !decodable) return decodable;
  const GgufTypeInfo* const info = find_gguf_type(tensor.type);
  const auto block_size = static_cast<std::size_t>(info->block_size);
  const auto block_bytes = static_cast<std::size_t>(info->block_bytes);
  const std::size_t num_blocks = tensor.data.size() / block_bytes;
  if (std::cmp_not_equal(out.size(), tensor.num_elements()))
    return fail(ErrorCode::shape_mismatch, tensor.offset,
                concat("tensor \"", tensor.name, "\" has ", tensor.num_elements(),
                       " elements, the output ", out.size()));
  const gguf_blocks::Decoder decode = gguf_blocks::find_decoder(tensor.type);
  for (std::size_t i = 0; i < num_blocks; ++i)
    decode(tensor.data.data() + i * block_bytes, out.data() + i * block_size);
  return Done{};
}

inline Expected<std::vector<float>> GgufFile::dequantize(const GgufTensor& tensor) const {
  if (const Status decodable = check_decodable(tensor); !decodable) return decodable.error();
  if (std::cmp_greater(tensor.num_elements(), PTRDIFF_MAX / sizeof(float)))
    return fail(ErrorCode::too_large, tensor.offset, concat("tensor \"", tensor.name, "\" as floats passes the address space"));
  std::vector<float> out(static_cast<std::size_t>(tensor.num_elements()));
  if (const Status done = dequantize(tensor, out); !done) return done.error();
  return out;
}

}  // namespace basin
