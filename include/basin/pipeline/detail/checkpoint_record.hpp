#pragma once

#include <basin/core/byte_reader.hpp>
#include <basin/core/content_hash.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/level_layer.hpp>
#include <basin/pipeline/report.hpp>
#include <basin/pipeline/run_identity.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace basin::detail {
/// Bytes of a record of a checkpoint, little-endian:
///
///     0   "basinckp"
///     8   version of the format, u32
///     12  kind of record, u32
///     16  hash of everything behind it, u64
///     24  hash of the run's identity, u64; of an identity 0
///     32  fields one after the other: numbers, texts and arrays with their lengths in front
inline constexpr char record_magic[] = "basinckp";
inline constexpr std::uint32_t record_version = 1;
inline constexpr std::size_t record_header = 32;
enum class RecordKind : std::uint32_t { identity = 1, text = 2, additive = 3, levels = 4 };

[[nodiscard]] inline std::uint64_t hash_of(std::span<const std::byte> bytes) noexcept {
  ContentHash hash;
  hash.add(bytes);
  return hash.value();
}

/// Sizes take 8 bytes on every machine.
template <class Number>
using StoredAs = std::conditional_t<std::same_as<Number, std::ptrdiff_t>, std::int64_t, Number>;

class RecordWriter {
 public:
  RecordWriter(RecordKind kind, std::uint64_t run) : bytes_(record_header) {
    std::memcpy(bytes_.data(), record_magic, 8);
    store_little_endian(record_version, bytes_.data() + 8);
    store_little_endian(static_cast<std::uint32_t>(kind), bytes_.data() + 12);
    store_little_endian(run, bytes_.data() + 24);
  }

  template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
  void operator()(const Number& value) {
    const StoredAs<Number> stored = value;
    bytes_.resize(bytes_.size() + sizeof stored);
    store_little_endian(stored, bytes_.data() + bytes_.size() - sizeof stored);
  }
  void operator()(const std::string& text) {
    (*this)(static_cast<std::uint64_t>(text.size()));
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  template <class First, class Second>
  void operator()(const std::pair<First, Second>& pair) {
    (*this)(pair.first);
    (*this)(pair.second);
  }
  template <class Value>
  void operator()(const std::vector<Value>& values) {
    (*this)(static_cast<std::uint64_t>(values.size()));
    for (const Value& value : values) (*this)(value);
  }

  [[nodiscard]] std::vector<std::byte> finish() && {
    store_little_endian(hash_of(std::span(bytes_).subspan(24)), bytes_.data() + 16);
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
};

/// Fields of a record in which fault_of finds none; after a field that is not there ok() is false.
class RecordReader {
 public:
  explicit RecordReader(std::span<const std::byte> record) : reader_(record.subspan(record_header)) {}

  template <std::integral Number>
  void operator()(Number& value) {
    StoredAs<Number> stored{};
    ok_ = ok_ && reader_.read(stored) && std::in_range<Number>(stored);
    value = static_cast<Number>(stored);
  }
  template <std::floating_point Number>
  void operator()(Number& value) {
    ok_ = ok_ && reader_.read(value);
  }
  void operator()(std::string& text) {
    std::uint64_t size = 0;
    std::string_view found;
    (*this)(size);
    ok_ = ok_ && reader_.read_text(size, found);
    if (ok_) text = found;
  }
  template <class First, class Second>
  void operator()(std::pair<First, Second>& pair) {
    (*this)(pair.first);
    (*this)(pair.second);
  }
  template <class Value>
  void operator()(std::vector<Value>& values) {
    std::uint64_t size = 0;
    (*this)(size);
    constexpr std::uint64_t least = std::is_arithmetic_v<Value> ? sizeof(Value) : 8;  // a text takes its length
    ok_ = ok_ && size <= reader_.remaining() / least;
    if (!ok_) return;
    values.resize(static_cast<std::size_t>(size));
    for (Value& value : values) (*this)(value);
  }
  /// Everything was there, and nothing else.
  [[nodiscard]] bool ok() const noexcept { return ok_ && reader_.remaining() == 0; }

 private:
  ByteReader reader_;
  bool ok_ = true;
};

/// The same fields in the same order, written and read.
template <class Fields, class Report>
void visit_report(Fields& fields, Report& r) {
  fields(r.scheme);
  fields(r.n_out);
  fields(r.n_in);
  fields(r.rho);
  fields(r.bits_per_weight.codes);
  fields(r.bits_per_weight.codebooks);
  fields(r.bits_per_weight.scales);
  fields(r.relative_error_after_init);
  fields(r.loss_trace);
  fields(r.relative_error_before_storing);
  fields(r.relative_error);
  fields(r.squared_weight_error);
  fields(r.squared_weight_norm);
  fields(r.epochs);
  fields(r.seconds.init);
  fields(r.seconds.update);
  fields(r.seconds.search);
  fields(r.seconds.total);
  fields(r.notes);
}
template <class Fields, class Layer>
  requires std::same_as<std::remove_const_t<Layer>, AdditiveLayer>
void visit_layer(Fields& fields, Layer& layer) {
  fields(layer.scheme.num_codebooks);
  fields(layer.scheme.bits_per_code);
  fields(layer.scheme.in_group_size);
  fields(layer.scheme.out_group_size);
  fields(layer.n_out);
  fields(layer.n_in);
  fields(layer.codes);
  fields(layer.codebooks);
  fields(layer.scales);
}
template <class Fields, class Layer>
  requires std::same_as<std::remove_const_t<Layer>, LevelLayer>
void visit_layer(Fields& fields, Layer& layer) {
  fields(layer.n_out);
  fields(layer.n_in);
  fields(layer.levels);
  fields(layer.codes);
  fields(layer.scales);
  fields(layer.zero_points);
}

/// Sizes are those that the shape asks for, and codes name what is there.
[[nodiscard]] inline bool is_consistent(const AdditiveLayer& layer) noexcept {
  const Scheme& s = layer.scheme;
  if (!s.is_valid() || layer.n_out < 1 || layer.n_in < 1 || layer.n_out % s.out_group_size != 0) return false;
  const auto size = [](std::ptrdiff_t n) { return static_cast<std::size_t>(n); };
  const std::size_t rows = size(layer.num_out_groups());
  const std::size_t row_codes = size(layer.n_in / s.in_group_size + (layer.n_in % s.in_group_size != 0));
  const std::size_t tuples = layer.codes.size() / size(s.num_codebooks);
  return layer.codes.size() % size(s.num_codebooks) == 0 && tuples % rows == 0 && tuples / rows == row_codes && layer.scales.size() == rows &&
         layer.codebooks.size() == size(s.num_codebooks * s.codebook_size() * s.codeword_size()) &&
         std::all_of(layer.codes.begin(), layer.codes.end(), [&](std::uint16_t code) { return code < s.codebook_size(); });
}
[[nodiscard]] inline bool is_consistent(const LevelLayer& layer) noexcept {
  if (layer.n_out < 1 || layer.n_in < 1 || layer.levels.empty()) return false;
  const auto rows = static_cast<std::size_t>(layer.n_out);
  const auto names_a_level = [&](std::uint8_t code) { return code < layer.levels.size(); };
  return layer.codes.size() % rows == 0 && layer.codes.size() / rows == static_cast<std::size_t>(layer.n_in) && layer.scales.size() == rows &&
         (layer.zero_points.empty() || layer.zero_points.size() == rows) && std::all_of(layer.codes.begin(), layer.codes.end(), names_a_level) &&
         std::all_of(layer.zero_points.begin(), layer.zero_points.end(), names_a_level);
}

/// What a record says that it is; an identity where it says nothing.
[[nodiscard]] inline RecordKind kind_of(std::span<const std::byte> record) noexcept {
  return record.size() < record_header ? RecordKind::identity : static_cast<RecordKind>(load_little_endian<std::uint32_t>(record.data() + 12));
}

/// Why these bytes are no record of this kind and run; empty where they are.
[[nodiscard]] inline std::string_view fault_of(std::span<const std::byte> record, RecordKind kind, std::uint64_t run) {
  if (record.size() < record_header || std::memcmp(record.data(), record_magic, 8) != 0) return "is not a record of a checkpoint";
  if (load_little_endian<std::uint32_t>(record.data() + 8) != record_version) return "has the format of another version of this library";
  if (load_little_endian<std::uint64_t>(record.data() + 16) != hash_of(record.subspan(24))) return "is damaged";
  if (load_little_endian<std::uint32_t>(record.data() + 12) != static_cast<std::uint32_t>(kind)) return "is a record of another kind";
  if (load_little_endian<std::uint64_t>(record.data() + 24) != run) return "belongs to another run";
  return {};
}

}  // namespace basin::detail
