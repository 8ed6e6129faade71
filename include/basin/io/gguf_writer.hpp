#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/atomic_file.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/gguf_blocks.hpp>
#include <basin/io/gguf_metadata.hpp>
#include <basin/io/shape_text.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// Takes the next bytes of a file or of a tensor.
using ByteSink = std::function<Status(std::span<const std::byte>)>;
/// Gives a tensor's bytes in order, in as many pieces as it likes, and passes the sink's errors on.
using ByteSource = std::function<Status(const ByteSink&)>;

/// What a metadata value of one number can be: bool, float, double or an integer, but no char.
template <class T>
concept GgufScalar = std::same_as<T, float> || std::same_as<T, double> ||
                     (std::integral<T> && !std::same_as<T, char> && sizeof(T) <= 8);

/// What an array holds: scalars or strings.
template <class T>
concept GgufElement = GgufScalar<T> || std::convertible_to<const T&, std::string_view>;

/// The value type that holds a T; integers by their width and sign.
template <GgufElement T>
[[nodiscard]] constexpr GgufValueType gguf_value_type() noexcept {
  if constexpr (!GgufScalar<T>) return GgufValueType::string;
  else if constexpr (std::same_as<T, bool>) return GgufValueType::boolean;
  else if constexpr (std::same_as<T, float>) return GgufValueType::f32;
  else if constexpr (std::same_as<T, double>) return GgufValueType::f64;
  else if constexpr (sizeof(T) == 1) return std::signed_integral<T> ? GgufValueType::i8 : GgufValueType::u8;
  else if constexpr (sizeof(T) == 2) return std::signed_integral<T> ? GgufValueType::i16 : GgufValueType::u16;
  else if constexpr (sizeof(T) == 4) return std::signed_integral<T> ? GgufValueType::i32 : GgufValueType::u32;
  else return std::signed_integral<T> ? GgufValueType::i64 : GgufValueType::u64;
}

namespace detail {
/// Bytes in GGUF's encoding.
class GgufBytes {
 public:
  template <GgufScalar T>
  void put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    store_little_endian(value, bytes_.data() + at);
  }
  void put(GgufValueType type) { put(static_cast<std::uint32_t>(type)); }
  void put(std::span<const std::byte> raw) { bytes_.insert(bytes_.end(), raw.begin(), raw.end()); }
  void put_text(std::string_view text) { put(std::as_bytes(std::span<const char>(text.data(), text.size()))); }
  void put(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    put_text(text);
  }
  [[nodiscard]] std::vector<std::byte> take() noexcept { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};
}  // namespace detail

/// Collects metadata and tensors, then writes them as one GGUF file of version 3, whole or not at all.
///
/// Layout    keys and tensors in the order of adding; each tensor's data begin at the next multiple of
///           the alignment, and zero bytes fill up to it, after the last tensor too, as ggml expects.
///           A file that is laid out so comes out with the same bytes when copied key by key and
///           tensor by tensor.
/// Cost      memory for the metadata and the list of tensors. Data are streamed, one tensor after the
///           other, from where they lie or from the function that makes them.
class GgufWriter {
 public:
  /// The longest tensor name that ggml loads.
  static constexpr std::size_t max_tensor_name_length = 63;

  /// A key of T's value type. Readers may insist on the type: llama.cpp wants std::uint32_t for
  /// counts. A later value replaces an earlier one and keeps its place.
  /// Errors: too_large (a key over 65535 bytes), bad_value ("general.alignment" that is not a power of
  /// two as u32); so too below.
  template <GgufScalar T>
  [[nodiscard]] Status set(std::string_view key, T value) {
    detail::GgufBytes bytes;
    bytes.put(gguf_value_type<T>());
    bytes.put(value);
    return set_stored(key, bytes.take());
  }
  [[nodiscard]] Status set(std::string_view key, std::string_view text) {
    detail::GgufBytes bytes;
    bytes.put(GgufValueType::string);
    bytes.put(text);
    return set_stored(key, bytes.take());
  }
  template <std::ranges::contiguous_range R>
    requires GgufElement<std::ranges::range_value_t<R>>
  [[nodiscard]] Status set_array(std::string_view key, const R& values) {
    using Element = std::ranges::range_value_t<R>;
    detail::GgufBytes bytes;
    bytes.put(GgufValueType::array);
    bytes.put(gguf_value_type<Element>());
    bytes.put(static_cast<std::uint64_t>(std::ranges::size(values)));
    for (const Element& value : values) {
      if constexpr (GgufScalar<Element>) bytes.put(value);
      else bytes.put(std::string_view(value));
    }
    return set_stored(key, bytes.take());
  }
  /// Every key of a file that was read, with its type and bytes.
  [[nodiscard]] Status copy_metadata(const GgufMetadata& from) {
    for (const std::string& key : from.keys_as_stored()) {
      const std::span<const std::byte> stored = *from.stored(key);
      if (const Status set = set_stored(key, {stored.begin(), stored.end()}); !set) return set.error();
    }
    return Done{};
  }

  /// @param type   a number of gguf_type_table.
  /// @param shape  row-major, outermost first, as in GgufTensor.
  /// @param data   as the type stores it; must stay valid until write().
  /// Errors: bad_value (the name is taken or longer than ggml loads, more than 4 dimensions, one
  /// below 1, rows of partial blocks), unsupported (type), too_large, shape_mismatch (size of data).
  [[nodiscard]] Status add(std::string name, std::uint32_t type, std::vector<std::int64_t> shape,
                           std::span<const std::byte> data) {
    return add(std::move(name), type, std::move(shape), [data](const ByteSink& sink) { return sink(data); },
               data.size());
  }
  /// The same, keeping the bytes.
  [[nodiscard]] Status add(std::string name, std::uint32_t type, std::vector<std::int64_t> shape,
                           std::vector<std::byte>&& data) {
    const std::size_t size = data.size();
    return add(std::move(name), type, std::move(shape),
               [kept = std::move(data)](const ByteSink& sink) { return sink(kept); }, size);
  }
  /// The same, with bytes that are made when their turn comes. That a source gives too few or too many
  /// is a shape_mismatch of write().
  [[nodiscard]] Status add(std::string name, std::uint32_t type, std::vector<std::int64_t> shape,
                           ByteSource source) {
    return add(std::move(name), type, std::move(shape), std::move(source), any_size);
  }

  [[nodiscard]] bool contains_key(std::string_view key) const noexcept { return key_index_.contains(key); }
  [[nodiscard]] std::size_t num_tensors() const noexcept { return entries_.size(); }

  /// Errors: cannot_write, shape_mismatch and those of the sources; the old file then stays as it was.
  [[nodiscard]] Status write(const std::filesystem::path& path) const {
    Expected<AtomicFile> file = AtomicFile::create(path);
    if (!file) return file.error();
    const Status wrote = write_to([&](std::span<const std::byte> bytes) { return file->write(bytes); });
    return wrote ? file->commit() : wrote;
  }
  /// The same bytes to anywhere.
  [[nodiscard]] Status write_to(const ByteSink& sink) const;

 private:
  struct Entry {
    std::string name;
    std::uint32_t type;
    std::vector<std::int64_t> shape;
    std::uint64_t size;
    ByteSource source;
  };
  static constexpr std::uint64_t any_size = ~std::uint64_t{0};
  // Leaves room for 2^31 bytes of padding after each of 2^31 tensors.
  static constexpr std::uint64_t max_data_bytes = std::uint64_t{1} << 62;

  Status set_stored(std::string_view key, std::vector<std::byte> stored);
  Status add(std::string name, std::uint32_t type, std::vector<std::int64_t> shape, ByteSource source,
             std::uint64_t given);
  std::uint64_t padding(std::uint64_t size) const noexcept { return (alignment_ - size % alignment_) % alignment_; }
  std::vector<std::byte> header() const;
  Status write_tensor(const Entry& entry, const ByteSink& sink) const;
  Status pad(std::uint64_t size, const ByteSink& sink) const;

  std::uint64_t alignment_ = 32;
  std::vector<std::pair<std::string, std::vector<std::byte>>> keys_;
  std::map<std::string, std::size_t, std::less<>> key_index_;
  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> names_;
  std::uint64_t data_bytes_ = 0;
};

inline Status GgufWriter::set_stored(std::string_view key, std::vector<std::byte> stored) {
  if (key.size() > GgufMetadata::max_name_length)
    return Error{ErrorCode::too_large, concat("cannot set a metadata key of ", key.size(), " bytes; at most ",
                                              GgufMetadata::max_name_length, " are allowed")};
  if (key == "general.alignment") {
    ByteReader reader(stored);
    std::uint32_t type = 0, alignment = 0;
    const bool is_u32 = reader.read(type) && type == static_cast<std::uint32_t>(GgufValueType::u32);
    if (!is_u32 || !reader.read(alignment) || !std::has_single_bit(alignment))
      return Error{ErrorCode::bad_value, "cannot set general.alignment: it must be a power of two, as u32"};
    alignment_ = alignment;
  }
  const auto [at, is_new] = key_index_.emplace(key, keys_.size());
  if (is_new) keys_.emplace_back(key, std::move(stored));
  else keys_[at->second].second = std::move(stored);
  return Done{};
}

inline Status GgufWriter::add(std::string name, std::uint32_t type, std::vector<std::int64_t> shape,
                              ByteSource source, std::uint64_t given) {
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat("cannot add tensor \"", name, "\": ", why)};
  };
  if (name.size() > max_tensor_name_length)
    return fail(ErrorCode::bad_value,
                concat("a name of ", name.size(), " bytes; ggml loads at most ", max_tensor_name_length));
  if (names_.contains(name)) return fail(ErrorCode::bad_value, "the name is already taken");
  const GgufTypeInfo* const info = find_gguf_type(type);
  if (info == nullptr)
    return fail(ErrorCode::unsupported, concat("the size of type ", type, " is unknown"));
  const Expected<std::uint64_t> size = gguf_tensor_bytes(info, shape);
  if (!size) return fail(size.error().code, size.error().message);
  if (given != any_size && given != *size)
    return fail(ErrorCode::shape_mismatch,
                concat(detail::shape_text(shape), " of ", info->name, " is ", *size, " bytes, but ", given, " were given"));
  if (*size > max_data_bytes - data_bytes_) return fail(ErrorCode::too_large, "the file's size overflows 64 bits");
  data_bytes_ += *size;
  names_.insert(name);
  entries_.push_back({std::move(name), type, std::move(shape), *size, std::move(source)});
  return Done{};
}

inline std::vector<std::byte> GgufWriter::header() const {
  detail::GgufBytes out;
  out.put_text("GGUF");
  out.put(std::uint32_t{3});
  out.put(static_cast<std::int64_t>(entries_.size()));
  out.put(static_cast<std::int64_t>(keys_.size()));
  for (const auto& [key, stored] : keys_) {
    out.put(std::string_view(key));
    out.put(std::span<const std::byte>(stored));
  }
  std::uint64_t offset = 0;
  for (const Entry& entry : entries_) {
    out.put(std::string_view(entry.name));
    out.put(static_cast<std::uint32_t>(entry.shape.size()));
    for (auto extent = entry.shape.rbegin(); extent != entry.shape.rend(); ++extent) out.put(*extent);
    out.put(entry.type);
    out.put(offset);
    offset += entry.size + padding(entry.size);
  }
  return out.take();
}

inline Status GgufWriter::pad(std::uint64_t size, const ByteSink& sink) const {
  constexpr std::array<std::byte, 4096> zeros{};
  for (std::uint64_t left = padding(size); left > 0;) {
    const std::uint64_t step = std::min<std::uint64_t>(left, zeros.size());
    if (const Status wrote = sink(std::span(zeros).first(static_cast<std::size_t>(step))); !wrote) return wrote;
    left -= step;
  }
  return Done{};
}

inline Status GgufWriter::write_tensor(const Entry& entry, const ByteSink& sink) const {
  std::uint64_t given = 0;
  const auto wrong_size = [&] {
    return Error{ErrorCode::shape_mismatch,
                 concat("cannot write tensor \"", entry.name, "\": ", detail::shape_text(entry.shape), " of ",
                        find_gguf_type(entry.type)->name, " is ", entry.size, " bytes, but its source gave ",
                        given > entry.size ? "more" : std::to_string(given))};
  };
  const Status made = entry.source([&](std::span<const std::byte> bytes) -> Status {
    given += bytes.size();
    return given > entry.size ? Status(wrong_size()) : sink(bytes);
  });
  if (!made) return made;
  if (given != entry.size) return wrong_size();
  return pad(entry.size, sink);
}

inline Status GgufWriter::write_to(const ByteSink& sink) const {
  const std::vector<std::byte> first = header();
  if (const Status wrote = sink(first); !wrote) return wrote;
  if (const Status wrote = pad(first.size(), sink); !wrote) return wrote;
  for (const Entry& entry : entries_)
    if (const Status wrote = write_tensor(entry, sink); !wrote) return wrote;
  return Done{};
}

}  // namespace basin
