#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/safetensors_types.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace basin::detail {
/// Builds tensors and metadata straight from the events of a JSON parser, so that a hostile header
/// never becomes a document: memory stays within a small multiple of the header's bytes, and
/// anything but {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}} stops the parse.
class SafetensorsHeader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  struct Entry {
    std::string name;
    SafetensorsType type{};
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  std::vector<Entry> entries;
  std::map<std::string, std::string, std::less<>> metadata;
  ErrorCode code = ErrorCode::bad_value;
  std::string problem;         ///< after a failed parse
  std::uint64_t position = 0;  ///< in the header's text, where known

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a bool"); }
  bool number_integer(number_integer_t) { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) {
    return unexpected("a number with a fraction, or beyond 64 bits");
  }
  bool binary(binary_t&) { return unexpected("binary"); }

  bool number_unsigned(number_unsigned_t number) {
    if (at_ == At::shape) {
      if (!std::in_range<std::int64_t>(number)) return fail("a dimension overflows 64 bits", ErrorCode::too_large);
      if (entries.back().shape.size() >= max_rank) return fail("more than 16 dimensions");
      entries.back().shape.push_back(static_cast<std::int64_t>(number));
      return true;
    }
    if (at_ == At::offsets) {
      if (num_offsets_ == 0) entries.back().begin = number;
      if (num_offsets_ == 1) entries.back().end = number;
      return ++num_offsets_ <= 2 || fail("data_offsets must be [begin, end]");
    }
    return unexpected("a number");
  }
  bool string(string_t& text) {
    if (at_ == At::metadata) {
      metadata.find(key_)->second = std::move(text);
      return true;
    }
    if (at_ != At::dtype) return unexpected("a string");
    const auto type = parse_safetensors_type(text);
    if (!type) return fail(concat("dtype \"", text, "\" is not supported"), ErrorCode::unsupported);
    entries.back().type = *type;
    at_ = At::tensor;
    return true;
  }
  bool start_object(std::size_t) {
    if (at_ == At::start) return move(At::top);
    if (at_ == At::metadata_value) return move(At::metadata);
    if (at_ == At::tensor_value) return move(At::tensor);
    return unexpected("an object");
  }
  bool end_object() {
    if (at_ == At::top) return move(At::done);
    if (at_ == At::tensor && seen_ != (saw_dtype | saw_shape | saw_offsets))
      return fail("needs dtype, shape and data_offsets");
    return move(At::top);
  }
  bool start_array(std::size_t) {
    if (at_ == At::shape_value) return move(At::shape);
    if (at_ == At::offsets_value) return move(At::offsets);
    return unexpected("an array");
  }
  bool end_array() {
    if (at_ == At::offsets && num_offsets_ != 2) return fail("data_offsets must be [begin, end]");
    return move(At::tensor);
  }
  bool key(string_t& name) {
    if (at_ == At::metadata) {
      key_ = name;
      return metadata.emplace(std::move(name), std::string()).second ||
             fail(concat("__metadata__ has the key \"", key_, "\" twice"));
    }
    if (at_ == At::top) {
      if (!names_.insert(name).second) return fail(concat("the name \"", name, "\" occurs twice"));
      if (name == "__metadata__") return move(At::metadata_value);
      entries.emplace_back().name = std::move(name);
      seen_ = num_offsets_ = 0;
      return move(At::tensor_value);
    }
    if (at_ != At::tensor) return unexpected("a key");
    if (name == "dtype") return see(saw_dtype, At::dtype);
    if (name == "shape") return see(saw_shape, At::shape_value);
    if (name == "data_offsets") return see(saw_offsets, At::offsets_value);
    return fail(concat("unknown field \"", name, "\""));
  }
  template <class Exception>
  bool parse_error(std::size_t at, const std::string&, const Exception&) {
    position = at;
    problem = "the header is not valid JSON";
    return false;
  }

 private:
  static constexpr std::size_t max_rank = 16;
  static constexpr int saw_dtype = 1, saw_shape = 2, saw_offsets = 4;
  // `x_value`: the value of key x comes next. From tensor_value on, inside a tensor's entry.
  enum class At {
    start, done, top, metadata_value, metadata, tensor_value, tensor, dtype, shape_value, shape, offsets_value,
    offsets
  };

  bool move(At next) {
    at_ = next;
    return true;
  }
  bool see(int field, At next) {
    if (seen_ & field) return fail("a field occurs twice");
    seen_ |= field;
    return move(next);
  }
  bool fail(std::string why, ErrorCode kind = ErrorCode::bad_value) {
    code = kind;
    problem = at_ >= At::tensor_value ? concat("tensor \"", entries.back().name, "\": ", why) : std::move(why);
    return false;
  }
  bool unexpected(std::string_view what) { return fail(concat("unexpected ", what, " in the header")); }

  At at_ = At::start;
  int seen_ = 0;
  int num_offsets_ = 0;
  std::string key_;  // of the metadata value to come
  std::set<std::string> names_;
};

}  // namespace basin::detail
