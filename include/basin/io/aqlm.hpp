#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/io/aqlm_config.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/safetensors.hpp>
#include <basin/io/safetensors_source.hpp>
#include <basin/io/shape_text.hpp>
#include <basin/layout/additive_layer.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
namespace detail {
// Codes from two's complement of `bits` bits (or unwrapped, as some writers leave them).
template <class Int>
[[nodiscard]] Status unwrap_codes(const SafetensorsTensor& tensor, int bits, std::vector<std::uint16_t>& out) {
  const std::int64_t size = std::int64_t{1} << bits;
  out.resize(static_cast<std::size_t>(tensor.num_elements()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t stored = load_little_endian<Int>(tensor.data.data() + sizeof(Int) * i);
    if (stored < -size / 2 || stored >= size) {
      Error error = tensor_error(tensor, ErrorCode::bad_value,
                                 concat("element ", i, " is ", stored, ", not a code of ", bits, " bits"));
      error.offset += sizeof(Int) * i;
      return error;
    }
    out[i] = static_cast<std::uint16_t>(stored < 0 ? stored + size : stored);
  }
  return Done{};
}

[[nodiscard]] inline Status read_codes(const SafetensorsTensor& tensor, int bits, std::vector<std::uint16_t>& out) {
  switch (tensor.type) {
    case SafetensorsType::i8: return unwrap_codes<std::int8_t>(tensor, bits, out);
    case SafetensorsType::i16: return unwrap_codes<std::int16_t>(tensor, bits, out);
    case SafetensorsType::i32: return unwrap_codes<std::int32_t>(tensor, bits, out);
    case SafetensorsType::i64: return unwrap_codes<std::int64_t>(tensor, bits, out);
    default:
      return tensor_error(tensor, ErrorCode::unsupported,
                          concat("dtype ", to_string(tensor.type), "; codes are I8, I16, I32 or I64"));
  }
}

[[nodiscard]] inline std::string true_n_in_key(std::string_view prefix) { return concat("basin.", prefix, ".n_in"); }
}  // namespace detail

/// Reads one linear layer as the `aqlm` Python package stores it.
///
/// Tensors   prefix.codes [O, J, M] of two's-complement integers, prefix.codebooks [M, K, g_out, g]
///           and prefix.scales [O, 1, 1, 1] of F16 or BF16. A bias is a tensor of its own.
/// n_in      J g, or what "basin.<prefix>.n_in" of the metadata says for a padded last group.
/// Errors: not_found, unsupported (dtypes), shape_mismatch, bad_value (a code out of range, a value
/// that is not finite in fp16), too_large (rows or inputs that a 32-bit machine cannot count).
template <SafetensorsSource Source>
[[nodiscard]] Expected<AdditiveLayer> read_aqlm_layer(const Source& source, std::string_view prefix,
                                                      const AqlmConfig& config) {
  const Scheme& scheme = config.scheme;
  if (!scheme.is_valid()) return Error{ErrorCode::bad_value, concat("scheme ", to_string(scheme), " is not valid")};
  const SafetensorsTensor* parts[3] = {};
  constexpr std::string_view names[3] = {".codes", ".codebooks", ".scales"};
  for (int i = 0; i < 3; ++i) {
    parts[i] = source.find(concat(prefix, names[i]));
    if (parts[i] == nullptr)
      return Error{ErrorCode::not_found, concat(source.name(), ": no tensor \"", prefix, names[i], "\"")};
  }
  const SafetensorsTensor &codes = *parts[0], &codebooks = *parts[1], &scales = *parts[2];
  if (codes.shape.size() != 3 || codes.num_elements() == 0 || codes.shape[2] != scheme.num_codebooks)
    return detail::tensor_error(codes, ErrorCode::shape_mismatch,
                                concat("shape ", detail::shape_text(codes.shape), ", expected [O, J, ",
                                       scheme.num_codebooks, "] with O and J at least 1"));
  const std::int64_t num_out_groups = codes.shape[0], num_in_groups = codes.shape[1];
  if (const Status same = detail::check_shape(codebooks, {scheme.num_codebooks, scheme.codebook_size(),
                                                          scheme.out_group_size, scheme.in_group_size});
      !same)
    return same.error();
  if (const Status same = detail::check_shape(scales, {num_out_groups, 1, 1, 1}); !same) return same.error();

  // The counts are held in bytes, so neither product overflows: groups have at most 4096 weights.
  const std::int64_t n_out = num_out_groups * scheme.out_group_size;
  std::int64_t n_in = num_in_groups * scheme.in_group_size;
  if (const std::optional<std::string> stated = source.metadata(detail::true_n_in_key(prefix))) {
    std::int64_t inputs = 0;
    const char* const end = stated->data() + stated->size();
    const auto [stop, problem] = std::from_chars(stated->data(), end, inputs);
    if (problem != std::errc{} || stop != end || inputs <= n_in - scheme.in_group_size || inputs > n_in)
      return detail::tensor_error(codes, ErrorCode::bad_value,
                                  concat("metadata says n_in = \"", *stated, "\", which ", num_in_groups,
                                         " groups of ", scheme.in_group_size, " do not hold"));
    n_in = inputs;
  }
  if (!std::in_range<std::ptrdiff_t>(n_out) || !std::in_range<std::ptrdiff_t>(n_in))
    return detail::tensor_error(codes, ErrorCode::too_large, concat("a layer of ", n_out, " by ", n_in, " weights passes the address space"));
  AdditiveLayer layer;
  layer.scheme = scheme;
  layer.n_out = static_cast<std::ptrdiff_t>(n_out);
  layer.n_in = static_cast<std::ptrdiff_t>(n_in);
  if (const Status read = detail::read_codes(codes, scheme.bits_per_code, layer.codes); !read) return read.error();
  if (const Status read = detail::read_halves(codebooks, layer.codebooks); !read) return read.error();
  if (const Status read = detail::read_halves(scales, layer.scales); !read) return read.error();
  return layer;
}

/// Adds one linear layer in the layout of read_aqlm_layer: codes as I8 up to 8 bits, else I16.
/// Where g does not divide n_in, the package sees the padded width J g and the true n_in goes to
/// the metadata. Also sets the metadata "format" = "pt", without which transformers refuses a file.
/// Errors: bad_value (a code out of range, fp16 infinite or NaN: it overflowed), shape_mismatch.
[[nodiscard]] inline Status add_aqlm_layer(SafetensorsWriter& writer, std::string_view prefix,
                                           const AdditiveLayer& layer) {
  const Scheme& scheme = layer.scheme;
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat("cannot store layer \"", prefix, "\": ", why)};
  };
  if (!scheme.is_valid()) return fail(ErrorCode::bad_value, concat("scheme ", to_string(scheme), " is not valid"));
  if (layer.n_in < 1 || layer.n_out < 1 || layer.n_out % scheme.out_group_size != 0)
    return fail(ErrorCode::shape_mismatch, concat("n_out = ", layer.n_out, ", n_in = ", layer.n_in,
                                                  "; n_out must be a multiple of ", scheme.out_group_size));
  const std::ptrdiff_t num_out = layer.num_out_groups(), num_in = layer.num_in_groups();
  const std::ptrdiff_t m = scheme.num_codebooks, k = scheme.codebook_size();
  const auto check_size = [&](std::string_view what, std::size_t size, std::ptrdiff_t wanted) -> Status {
    if (std::cmp_equal(size, wanted)) return Done{};
    return fail(ErrorCode::shape_mismatch, concat(size, " ", what, ", expected ", wanted));
  };
  if (const Status same = check_size("codes", layer.codes.size(), num_out * num_in * m); !same) return same;
  if (const Status same = check_size("codebook entries", layer.codebooks.size(), m * k * scheme.codeword_size()); !same)
    return same;
  if (const Status same = check_size("scales", layer.scales.size(), num_out); !same) return same;

  const auto check_halves = [&](std::string_view what, const std::vector<std::uint16_t>& halves) -> Status {
    for (std::size_t i = 0; i < halves.size(); ++i)
      if (!is_finite_half(halves[i]))
        return fail(ErrorCode::bad_value, concat(what, " ", i, " is infinite or NaN in fp16; values beyond ",
                                                 "65504 do not fit, so rescale the layer"));
    return Done{};
  };
  if (const Status finite = check_halves("codebook entry", layer.codebooks); !finite) return finite;
  if (const Status finite = check_halves("scale", layer.scales); !finite) return finite;

  const std::size_t code_bytes = scheme.bits_per_code <= 8 ? 1 : 2;
  std::vector<std::byte> stored(layer.codes.size() * code_bytes);
  for (std::size_t i = 0; i < layer.codes.size(); ++i) {
    const int code = layer.codes[i];
    if (code >= k)
      return fail(ErrorCode::bad_value,
                  concat("code ", i, " is ", code, ", but codebooks have ", k, " codewords"));
    const int wrapped = code < k / 2 ? code : code - static_cast<int>(k);
    if (code_bytes == 1) store_little_endian(static_cast<std::int8_t>(wrapped), stored.data() + i);
    else store_little_endian(static_cast<std::int16_t>(wrapped), stored.data() + 2 * i);
  }
  const auto halves_to_bytes = [](const std::vector<std::uint16_t>& halves) {
    std::vector<std::byte> bytes(2 * halves.size());
    for (std::size_t i = 0; i < halves.size(); ++i) store_little_endian(halves[i], bytes.data() + 2 * i);
    return bytes;
  };
  const auto type = code_bytes == 1 ? SafetensorsType::i8 : SafetensorsType::i16;
  if (const Status added = writer.add(concat(prefix, ".codes"), type, {num_out, num_in, m}, std::move(stored)); !added)
    return added;
  if (const Status added = writer.add(concat(prefix, ".codebooks"), SafetensorsType::f16,
                                      {m, k, scheme.out_group_size, scheme.in_group_size},
                                      halves_to_bytes(layer.codebooks));
      !added)
    return added;
  if (const Status added = writer.add(concat(prefix, ".scales"), SafetensorsType::f16, {num_out, 1, 1, 1},
                                      halves_to_bytes(layer.scales));
      !added)
    return added;
  if (layer.n_in != num_in * scheme.in_group_size)
    if (const Status set = writer.set_metadata(detail::true_n_in_key(prefix), concat(layer.n_in)); !set) return set;
  return writer.set_metadata("format", "pt");
}

}  // namespace basin
