#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/safetensors.hpp>
#include <basin/io/safetensors_source.hpp>
#include <basin/io/shape_text.hpp>
#include <basin/layout/bit_pack.hpp>
#include <basin/layout/level_layer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// Whether a layer of scalar levels is stored under this name.
template <SafetensorsSource Source>
[[nodiscard]] bool has_level_layer(const Source& source, std::string_view prefix) {
  return source.find(concat(prefix, ".level_codes")) != nullptr;
}

/// Reads one linear layer of scalar levels.
///
/// Tensors   prefix.level_codes U8 [n_out, packed_row_bytes(n_in, bits)], rows as bit_pack.hpp lays them out;
///           prefix.levels F32 [L], ascending; prefix.scales F16 [n_out]; prefix.zero_points U8 [n_out] where the
///           set has them. L decides the bits of a code.
/// @param n_in  inputs of the layer, which packed rows do not tell.
/// Errors: not_found, unsupported (dtypes), shape_mismatch, bad_value (levels that do not ascend, a code or zero
/// point out of range, a scale that is not finite).
template <SafetensorsSource Source>
[[nodiscard]] Expected<LevelLayer> read_level_layer(const Source& source, std::string_view prefix, std::int64_t n_in) {
  const auto tensor = [&](std::string_view part) { return source.find(concat(prefix, part)); };
  const auto checked = [&](std::string_view part, SafetensorsType type) -> Expected<const SafetensorsTensor*> {
    const SafetensorsTensor* const found = tensor(part);
    if (found == nullptr) return Error{ErrorCode::not_found, concat(source.name(), ": no tensor \"", prefix, part, "\"")};
    if (found->type != type)
      return detail::tensor_error(*found, ErrorCode::unsupported, concat("dtype ", to_string(found->type), ", expected ", to_string(type)));
    return found;
  };
  const auto levels = checked(".levels", SafetensorsType::f32), codes = checked(".level_codes", SafetensorsType::u8);
  if (!levels) return levels.error();
  if (!codes) return codes.error();
  if ((*levels)->shape.size() != 1 || (*levels)->shape[0] < 2 || (*levels)->shape[0] > 256)
    return detail::tensor_error(**levels, ErrorCode::shape_mismatch,
                                concat("shape ", detail::shape_text((*levels)->shape), ", expected 2 to 256 levels"));
  LevelLayer layer;
  for (std::int64_t i = 0; i < (*levels)->shape[0]; ++i) {
    layer.levels.push_back(load_little_endian<float>((*levels)->data.data() + 4 * i));
    if (!std::isfinite(layer.levels.back()) || (i > 0 && !(layer.levels[static_cast<std::size_t>(i - 1)] < layer.levels.back())))
      return detail::tensor_error(**levels, ErrorCode::bad_value, concat("level ", i, " is not above the one before it"));
  }
  const int bits = layer.code_bits();
  // A row has at most 8 codes in a byte, which keeps the products below from overflowing.
  if (n_in < 1 || static_cast<std::uint64_t>(n_in - 1) / 8 >= (*codes)->data.size() || (*codes)->shape.size() != 2 || (*codes)->shape[0] < 1)
    return detail::tensor_error(**codes, ErrorCode::shape_mismatch, concat("shape ", detail::shape_text((*codes)->shape),
                                                                           ", expected packed rows of ", n_in, " codes"));
  if (!std::in_range<std::ptrdiff_t>((*codes)->shape[0]) || n_in > PTRDIFF_MAX / 16 - 64)
    return detail::tensor_error(**codes, ErrorCode::too_large, concat("a layer of ", (*codes)->shape[0], " by ", n_in, " weights passes the address space"));
  layer.n_out = static_cast<std::ptrdiff_t>((*codes)->shape[0]);
  layer.n_in = static_cast<std::ptrdiff_t>(n_in);
  const std::size_t row_bytes = packed_row_bytes(static_cast<std::size_t>(n_in), bits);
  if (const Status same = detail::check_shape(**codes, {layer.n_out, static_cast<std::int64_t>(row_bytes)}); !same) return same.error();

  const SafetensorsTensor* const scales = tensor(".scales");
  if (scales == nullptr) return Error{ErrorCode::not_found, concat(source.name(), ": no tensor \"", prefix, ".scales\"")};
  if (const Status same = detail::check_shape(*scales, {layer.n_out}); !same) return same.error();
  if (const Status read = detail::read_halves(*scales, layer.scales); !read) return read.error();

  std::vector<std::uint16_t> row(static_cast<std::size_t>(n_in));
  layer.codes.reserve(static_cast<std::size_t>(layer.n_out) * row.size());
  for (std::int64_t o = 0; o < layer.n_out; ++o) {
    const auto* const packed = reinterpret_cast<const std::uint8_t*>((*codes)->data.data()) + static_cast<std::size_t>(o) * row_bytes;
    unpack_bits({packed, row_bytes}, bits, row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i] >= layer.levels.size())
        return detail::tensor_error(**codes, ErrorCode::bad_value,
                                    concat("code ", row[i], " at row ", o, ", input ", i, " is not below ", layer.levels.size()));
      layer.codes.push_back(static_cast<std::uint8_t>(row[i]));
    }
  }
  if (tensor(".zero_points") == nullptr) return layer;
  const auto zero_points = checked(".zero_points", SafetensorsType::u8);
  if (!zero_points) return zero_points.error();
  if (const Status same = detail::check_shape(**zero_points, {layer.n_out}); !same) return same.error();
  for (std::int64_t o = 0; o < layer.n_out; ++o) {
    const auto zero_point = std::to_integer<std::uint8_t>((*zero_points)->data[static_cast<std::size_t>(o)]);
    if (zero_point >= layer.levels.size())
      return detail::tensor_error(**zero_points, ErrorCode::bad_value,
                                  concat("zero point ", static_cast<int>(zero_point), " of row ", o, " is not below ", layer.levels.size()));
    layer.zero_points.push_back(zero_point);
  }
  return layer;
}

/// Adds one linear layer as read_level_layer reads it.
/// Errors: shape_mismatch, bad_value (levels that do not ascend, a code or zero point out of range, a scale that
/// is not finite).
[[nodiscard]] inline Status add_level_layer(SafetensorsWriter& writer, std::string_view prefix, const LevelLayer& layer) {
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat("cannot store layer \"", prefix, "\": ", why)};
  };
  const std::size_t size = layer.levels.size();
  if (layer.n_out < 1 || layer.n_in < 1 || !std::cmp_equal(layer.codes.size(), layer.n_out * layer.n_in) ||
      !std::cmp_equal(layer.scales.size(), layer.n_out) ||
      (!layer.zero_points.empty() && layer.zero_points.size() != layer.scales.size()))
    return fail(ErrorCode::shape_mismatch, concat("[", layer.n_out, ", ", layer.n_in, "] with ", layer.codes.size(), " codes, ",
                                                  layer.scales.size(), " scales and ", layer.zero_points.size(), " zero points"));
  if (size < 2 || size > 256) return fail(ErrorCode::bad_value, concat(size, " levels; 2 to 256 are stored"));
  for (std::size_t i = 0; i < size; ++i)
    if (!std::isfinite(layer.levels[i]) || (i > 0 && !(layer.levels[i - 1] < layer.levels[i])))
      return fail(ErrorCode::bad_value, concat("level ", i, " is not above the one before it"));
  for (std::size_t o = 0; o < layer.scales.size(); ++o)
    if (!is_finite_half(layer.scales[o])) return fail(ErrorCode::bad_value, concat("scale ", o, " is infinite or NaN in fp16"));
  for (std::size_t o = 0; o < layer.zero_points.size(); ++o)
    if (layer.zero_points[o] >= size)
      return fail(ErrorCode::bad_value, concat("zero point ", static_cast<int>(layer.zero_points[o]), " of row ", o, " is not below ", size));

  const int bits = layer.code_bits();
  const auto n_in = static_cast<std::size_t>(layer.n_in);
  const std::size_t row_bytes = packed_row_bytes(n_in, bits);
  std::vector<std::byte> packed(layer.scales.size() * row_bytes);
  std::vector<std::uint16_t> row(n_in);
  for (std::size_t o = 0; o < layer.scales.size(); ++o) {
    for (std::size_t i = 0; i < n_in; ++i) {
      row[i] = layer.codes[o * n_in + i];
      if (row[i] >= size) return fail(ErrorCode::bad_value, concat("code ", row[i], " at row ", o, ", input ", i, " is not below ", size));
    }
    pack_bits(row, bits, {reinterpret_cast<std::uint8_t*>(packed.data()) + o * row_bytes, row_bytes});
  }
  std::vector<std::byte> levels(4 * size), scales(2 * layer.scales.size());
  for (std::size_t i = 0; i < size; ++i) store_little_endian(layer.levels[i], levels.data() + 4 * i);
  for (std::size_t o = 0; o < layer.scales.size(); ++o) store_little_endian(layer.scales[o], scales.data() + 2 * o);

  const auto add = [&](std::string_view part, SafetensorsType type, std::vector<std::int64_t> shape, std::vector<std::byte>&& bytes) {
    return writer.add(concat(prefix, part), type, std::move(shape), std::move(bytes));
  };
  if (const Status added = add(".level_codes", SafetensorsType::u8, {layer.n_out, static_cast<std::int64_t>(row_bytes)}, std::move(packed)); !added)
    return added;
  if (const Status added = add(".levels", SafetensorsType::f32, {static_cast<std::int64_t>(size)}, std::move(levels)); !added) return added;
  if (const Status added = add(".scales", SafetensorsType::f16, {layer.n_out}, std::move(scales)); !added) return added;
  if (layer.zero_points.empty()) return Done{};
  const auto bytes = std::as_bytes(std::span(layer.zero_points));
  return add(".zero_points", SafetensorsType::u8, {layer.n_out}, {bytes.begin(), bytes.end()});
}

}  // namespace basin
