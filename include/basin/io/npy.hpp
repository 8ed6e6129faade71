#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/atomic_file.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/mapped_file.hpp>
#include <basin/io/npy_header.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace basin {
/// An array of a .npy file, row-major whatever the file's order was.
template <class T>
struct NpyArray {
  std::vector<std::int64_t> shape;  ///< outermost first; empty for a scalar
  std::vector<T> data;
};

namespace detail {
// Calls visit(load), where load turns the bytes of one stored element into a T.
template <class T, class Visit>
[[nodiscard]] bool visit_npy_type(std::string_view type, Visit visit) {
  const auto plain = [&]<class Stored>(std::type_identity<Stored>) {
    visit([](const std::byte* from) { return static_cast<T>(load_little_endian<Stored>(from)); });
    return true;
  };
  if (type == "f2") {
    visit([](const std::byte* from) { return static_cast<T>(half_to_float(load_little_endian<std::uint16_t>(from))); });
    return true;
  }
  if (type == "f4") return plain(std::type_identity<float>{});
  if (type == "f8") return plain(std::type_identity<double>{});
  if (type == "i1") return plain(std::type_identity<std::int8_t>{});
  if (type == "i2") return plain(std::type_identity<std::int16_t>{});
  if (type == "i4") return plain(std::type_identity<std::int32_t>{});
  if (type == "i8") return plain(std::type_identity<std::int64_t>{});
  if (type == "u1" || type == "b1") return plain(std::type_identity<std::uint8_t>{});
  if (type == "u2") return plain(std::type_identity<std::uint16_t>{});
  if (type == "u4") return plain(std::type_identity<std::uint32_t>{});
  if (type == "u8") return plain(std::type_identity<std::uint64_t>{});
  return false;
}

// Row-major position i of a Fortran-ordered array, for i = 0, 1, 2, ...
class FortranWalk {
 public:
  explicit FortranWalk(const std::vector<std::int64_t>& shape)
      : shape_(shape), index_(shape.size(), 0), stride_(shape.size(), 1) {
    for (std::size_t d = 1; d < shape.size(); ++d) stride_[d] = stride_[d - 1] * shape[d - 1];
  }
  [[nodiscard]] std::size_t position() const noexcept { return static_cast<std::size_t>(position_); }
  void advance() noexcept {
    for (std::size_t d = shape_.size(); d-- > 0;) {
      position_ += stride_[d];
      if (++index_[d] < shape_[d]) return;
      position_ -= stride_[d] * shape_[d];
      index_[d] = 0;
    }
  }

 private:
  const std::vector<std::int64_t>& shape_;
  std::vector<std::int64_t> index_, stride_;
  std::int64_t position_ = 0;
};
}  // namespace detail

/// Reads a .npy array of versions 1 to 3 into floats or doubles.
///
/// Types     little-endian f2, f4, f8, i1 to i8, u1 to u8, bool; each converted as by static_cast.
/// Order     C or Fortran in the file, C in the result.
/// Errors: bad_magic, truncated, unsupported (version, dtype, byte order), bad_value, too_large.
template <std::floating_point T>
[[nodiscard]] Expected<NpyArray<T>> parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  const Expected<detail::NpyHeader> header = detail::parse_npy_header(bytes, name);
  if (!header) return header.error();
  const std::byte* const from = bytes.data() + header->data_offset;
  NpyArray<T> array;
  array.shape = header->shape;
  const bool known = detail::visit_npy_type<T>(header->type, [&](auto load) {
    array.data.resize(header->count);
    if (!header->fortran_order) {
      for (std::size_t i = 0; i < header->count; ++i) array.data[i] = load(from + i * header->item_bytes);
      return;
    }
    detail::FortranWalk walk(array.shape);
    for (std::size_t i = 0; i < header->count; ++i, walk.advance())
      array.data[i] = load(from + walk.position() * header->item_bytes);
  });
  if (!known)
    return Error{ErrorCode::unsupported, concat(name, ": dtype \"", header->type, "\" is not supported; save as float32")};
  return array;
}

/// Errors: cannot_open and those of parse_npy.
template <std::floating_point T>
[[nodiscard]] Expected<NpyArray<T>> read_npy(const std::filesystem::path& path) {
  const Expected<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  return parse_npy<T>(file->bytes(), path.string());
}

/// Writes a row-major array as .npy version 1, whole or not at all.
/// Errors: shape_mismatch (shape against size of data), cannot_write.
template <class T>
  requires std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int32_t> ||
           std::same_as<T, std::int64_t> || std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t>
[[nodiscard]] Status write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                               std::span<const T> data) {
  const Expected<std::uint64_t> count = detail::npy_count(shape, path.string());
  if (!count) return count.error();
  if (*count != data.size())
    return Error{ErrorCode::shape_mismatch,
                 concat(path.string(), ": the shape has ", *count, " elements, the data ", data.size())};
  constexpr char kind = std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
  const std::string descr = concat(sizeof(T) == 1 ? '|' : '<', kind, sizeof(T));
  const std::string header = detail::npy_header_text(descr, shape);
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file) return file.error();
  if (const Status wrote = file->write(std::string_view(header)); !wrote) return wrote;
  if constexpr (std::endian::native == std::endian::little) {
    if (const Status wrote = file->write(std::as_bytes(data)); !wrote) return wrote;
  } else {
    for (const T value : data) {
      std::byte turned[sizeof(T)];
      store_little_endian(value, turned);
      if (const Status wrote = file->write(turned); !wrote) return wrote;
    }
  }
  return file->commit();
}

}  // namespace basin
