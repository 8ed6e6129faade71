#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/gguf.hpp>
#include <basin/io/gguf_encode.hpp>
#include <basin/io/gguf_writer.hpp>
#include <basin/io/q2_k.hpp>
#include <basin/io/shape_text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// The value of general.file_type for a file that is mostly of one tensor type; none for types that
/// several values share.
[[nodiscard]] constexpr std::optional<std::uint32_t> gguf_file_type(std::uint32_t type) noexcept {
  switch (static_cast<GgufType>(type)) {
    case GgufType::f32: return 0;
    case GgufType::f16: return 1;
    case GgufType::q4_0: return 2;
    case GgufType::q4_1: return 3;
    case GgufType::q8_0: return 7;
    case GgufType::q2_k: return 10;
    case GgufType::bf16: return 32;
  }
  return std::nullopt;
}

/// A GGUF file made from another: the metadata and most tensors as they are, some tensors anew.
///
/// Keys      general.file_type becomes that of the type with the most weights in tensors of 2 and more
///           dimensions, where gguf_file_type knows it; general.quantization_version becomes 2 where
///           blocks are made. The rest stays. Without a change the copy has the source's keys and tensors.
/// Cost      one tensor in memory at a time, as values and as bytes; no more than a row where values are
///           borrowed.
class GgufExport {
 public:
  struct Levels {
    std::vector<std::uint8_t> codes;  ///< as NoZeroRows
    std::vector<float> scales;
  };
  using MakeFloats = std::function<Expected<std::vector<float>>()>;
  using MakeLevels = std::function<Expected<Levels>()>;

  /// @param source  must outlive this object and what prepare() gives, and not be moved.
  explicit GgufExport(const GgufFile& source) noexcept : source_(&source) {}

  /// Gives a tensor new values as F32, F16 or Q8_0. A later change of a tensor replaces an earlier one.
  /// @param values  row-major, as many as the source's tensor has; must stay valid until the file is
  ///                written. Or a function that makes them then.
  /// Errors: not_found, unsupported (type), bad_value (rows of partial blocks); when written also
  /// shape_mismatch, bad_value (a value that the type cannot hold) and those of the function.
  [[nodiscard]] Status set_floats(std::string_view name, GgufType type, std::span<const float> values);
  [[nodiscard]] Status set_floats(std::string_view name, GgufType type, MakeFloats make);
  /// The same with the source's own values, decoded.
  [[nodiscard]] Status convert(std::string_view name, GgufType type) {
    return set_floats(name, type, [source = source_, key = std::string(name)] {
      return source->dequantize(*source->find(key));
    });
  }

  /// Gives a tensor no-zero levels: as Q2_K where 256 divides its rows, otherwise as `otherwise`, exact in
  /// Q4_0 and Q8_0 and rounded in F16.
  /// @param codes, scales  as in NoZeroRows; must stay valid. Or a function that makes them.
  /// Errors: those of set_floats and pack_levels; shape_mismatch when Q2_K cannot hold the rows and
  /// `otherwise` names no type.
  [[nodiscard]] Status set_levels(std::string_view name, std::span<const std::uint8_t> codes,
                                  std::span<const float> scales, std::optional<GgufType> otherwise = {});
  [[nodiscard]] Status set_levels(std::string_view name, MakeLevels make, std::optional<GgufType> otherwise = {});

  /// The type that a tensor will have. Error: not_found.
  [[nodiscard]] Expected<std::uint32_t> type_of(std::string_view name) const {
    const Expected<const GgufTensor*> tensor = find(name);
    if (!tensor) return tensor.error();
    const auto at = changes_.find(name);
    return at == changes_.end() ? (*tensor)->type : static_cast<std::uint32_t>(at->second.type);
  }
  /// A writer with all of it, to which the host may add keys of its own. Errors: those of GgufWriter.
  [[nodiscard]] Expected<GgufWriter> prepare() const;
  /// Errors: those of prepare, GgufWriter::write and of the changes. `path` may be the source's.
  [[nodiscard]] Status write(const std::filesystem::path& path) const {
    const Expected<GgufWriter> writer = prepare();
    return writer ? writer->write(path) : Status(writer.error());
  }

 private:
  struct Change {
    GgufType type;
    ByteSource source;
  };
  static Error fail(const GgufTensor& tensor, ErrorCode code, std::string_view why) {
    return {code, concat("cannot export tensor \"", tensor.name, "\" ", detail::shape_text(tensor.shape), ": ", why)};
  }
  static std::int64_t row_size(const GgufTensor& tensor) noexcept {
    return tensor.shape.empty() ? 1 : tensor.shape.back();
  }
  static Status write_floats(const GgufTensor& tensor, GgufType type, std::span<const float> values,
                             const ByteSink& sink);
  static Status write_levels(const GgufTensor& tensor, GgufType type, std::span<const std::uint8_t> codes,
                             std::span<const float> scales, const ByteSink& sink);
  Expected<const GgufTensor*> find(std::string_view name) const {
    if (const GgufTensor* const tensor = source_->find(name)) return tensor;
    return Error{ErrorCode::not_found, concat("cannot export tensor \"", name, "\": the source has none of that name")};
  }
  Expected<const GgufTensor*> check_floats(std::string_view name, GgufType type) const;
  Expected<GgufType> level_type(std::string_view name, std::optional<GgufType> otherwise) const;
  std::optional<std::uint32_t> file_type() const;
  Status change(std::string_view name, GgufType type, ByteSource source) {
    changes_.insert_or_assign(std::string(name), Change{type, std::move(source)});
    return Done{};
  }

  const GgufFile* source_;
  std::map<std::string, Change, std::less<>> changes_;
};

inline Expected<const GgufTensor*> GgufExport::check_floats(std::string_view name, GgufType type) const {
  const Expected<const GgufTensor*> tensor = find(name);
  if (!tensor) return tensor;
  const auto id = static_cast<std::uint32_t>(type);
  if (gguf_blocks::find_encoder(id) == nullptr)
    return fail(**tensor, ErrorCode::unsupported, "floats are encoded as F32, F16 or Q8_0 only");
  if (const auto bytes = gguf_tensor_bytes(find_gguf_type(id), (*tensor)->shape); !bytes)
    return fail(**tensor, bytes.error().code, concat(bytes.error().message, "; choose F16"));
  return tensor;
}

inline Expected<GgufType> GgufExport::level_type(std::string_view name, std::optional<GgufType> otherwise) const {
  const Expected<const GgufTensor*> tensor = find(name);
  if (!tensor) return tensor.error();
  const std::int64_t n_in = row_size(**tensor);
  if (n_in % 256 == 0) return GgufType::q2_k;
  if (!otherwise)
    return fail(**tensor, ErrorCode::shape_mismatch,
                concat("rows of ", n_in, " weights are not whole Q2_K blocks of 256; ",
                       "name a type for such tensors: ", n_in % 32 == 0 ? "Q4_0, Q8_0 or F16" : "F16"));
  if (*otherwise == GgufType::f32 || *otherwise == GgufType::f16) return *otherwise;
  if (*otherwise != GgufType::q4_0 && *otherwise != GgufType::q8_0)
    return fail(**tensor, ErrorCode::unsupported, "in place of Q2_K, levels are encoded as Q4_0, Q8_0, F16 or F32 only");
  if (n_in % 32 != 0)
    return fail(**tensor, ErrorCode::shape_mismatch,
                concat("rows of ", n_in, " weights are whole blocks neither of 256 nor of 32; choose F16"));
  return *otherwise;
}

inline Status GgufExport::write_floats(const GgufTensor& tensor, GgufType type, std::span<const float> values,
                                       const ByteSink& sink) {
  if (std::cmp_not_equal(values.size(), tensor.num_elements()))
    return fail(tensor, ErrorCode::shape_mismatch, concat(values.size(), " values were given"));
  const GgufTypeInfo* const info = find_gguf_type(static_cast<std::uint32_t>(type));
  const auto n_in = static_cast<std::size_t>(row_size(tensor));
  std::vector<std::byte> bytes(n_in / static_cast<std::size_t>(info->block_size) *
                               static_cast<std::size_t>(info->block_bytes));
  for (std::size_t begin = 0; begin < values.size(); begin += n_in) {
    if (const Status encoded = gguf_encode(type, values.subspan(begin, n_in), bytes); !encoded)
      return fail(tensor, encoded.error().code, concat("row ", begin / n_in, ": ", encoded.error().message));
    if (const Status wrote = sink(bytes); !wrote) return wrote;
  }
  return Done{};
}

inline Status GgufExport::write_levels(const GgufTensor& tensor, GgufType type, std::span<const std::uint8_t> codes,
                                       std::span<const float> scales, const ByteSink& sink) {
  if (std::cmp_not_equal(codes.size(), tensor.num_elements()))
    return fail(tensor, ErrorCode::shape_mismatch, concat(codes.size(), " codes were given"));
  const NoZeroRows rows{row_size(tensor), codes, scales};
  const auto id = static_cast<std::uint32_t>(type);
  if (gguf_blocks::find_level_encoder(id) != nullptr) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(*gguf_tensor_bytes(find_gguf_type(id), tensor.shape)));
    const Status packed = pack_levels(type, rows, bytes);
    return packed ? sink(bytes) : Status(fail(tensor, packed.error().code, packed.error().message));
  }
  if (const Status valid = check_levels(rows); !valid) return fail(tensor, valid.error().code, valid.error().message);
  std::vector<float> values(codes.size());
  const auto n_in = static_cast<std::size_t>(rows.n_in);
  for (std::size_t i = 0; i < codes.size(); ++i)
    values[i] = scales[i / n_in] * (static_cast<float>(codes[i]) - 1.5f);
  return write_floats(tensor, type, values, sink);
}

inline Status GgufExport::set_floats(std::string_view name, GgufType type, std::span<const float> values) {
  const Expected<const GgufTensor*> tensor = check_floats(name, type);
  if (!tensor) return tensor.error();
  return change(name, type, [at = *tensor, type, values](const ByteSink& sink) {
    return write_floats(*at, type, values, sink);
  });
}

inline Status GgufExport::set_floats(std::string_view name, GgufType type, MakeFloats make) {
  const Expected<const GgufTensor*> tensor = check_floats(name, type);
  if (!tensor) return tensor.error();
  return change(name, type, [at = *tensor, type, make = std::move(make)](const ByteSink& sink) -> Status {
    const Expected<std::vector<float>> values = make();
    return values ? write_floats(*at, type, *values, sink) : Status(values.error());
  });
}

inline Status GgufExport::set_levels(std::string_view name, std::span<const std::uint8_t> codes,
                                     std::span<const float> scales, std::optional<GgufType> otherwise) {
  const Expected<GgufType> type = level_type(name, otherwise);
  if (!type) return type.error();
  return change(name, *type, [at = source_->find(name), type = *type, codes, scales](const ByteSink& sink) {
    return write_levels(*at, type, codes, scales, sink);
  });
}

inline Status GgufExport::set_levels(std::string_view name, MakeLevels make, std::optional<GgufType> otherwise) {
  const Expected<GgufType> type = level_type(name, otherwise);
  if (!type) return type.error();
  return change(name, *type,
                [at = source_->find(name), type = *type, make = std::move(make)](const ByteSink& sink) -> Status {
                  const Expected<Levels> levels = make();
                  return levels ? write_levels(*at, type, levels->codes, levels->scales, sink)
                                : Status(levels.error());
                });
}

inline std::optional<std::uint32_t> GgufExport::file_type() const {
  std::map<std::uint32_t, std::int64_t> weights;
  for (const GgufTensor& tensor : source_->tensors())
    if (tensor.shape.size() > 1) weights[*type_of(tensor.name)] += tensor.num_elements();
  const auto most = std::max_element(weights.begin(), weights.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == weights.end() ? std::nullopt : gguf_file_type(most->first);
}

inline Expected<GgufWriter> GgufExport::prepare() const {
  GgufWriter writer;
  if (const Status copied = writer.copy_metadata(source_->metadata()); !copied) return copied.error();
  for (const GgufTensor& tensor : source_->tensors()) {
    const auto at = changes_.find(tensor.name);
    const Status added =
        at == changes_.end()
            ? writer.add(tensor.name, tensor.type, tensor.shape, tensor.data)
            : writer.add(tensor.name, static_cast<std::uint32_t>(at->second.type), tensor.shape, at->second.source);
    if (!added) return added.error();
  }
  if (changes_.empty()) return writer;
  if (const auto type = file_type())
    if (const Status set = writer.set("general.file_type", *type); !set) return set.error();
  bool has_blocks = false;
  for (const auto& [name, made] : changes_)
    has_blocks = has_blocks || find_gguf_type(static_cast<std::uint32_t>(made.type))->block_size > 1;
  if (has_blocks)
    if (const Status set = writer.set("general.quantization_version", std::uint32_t{2}); !set) return set.error();
  return writer;
}

}  // namespace basin
