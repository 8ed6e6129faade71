#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/bit_pack.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// The codes of a layer, bit-packed: one row per output group, groups in order, codebooks inside.
///
///     row o:  | (o,0,0) (o,0,1) .. (o,0,M-1) | (o,1,0) .. | .. (o,J-1,M-1) | zero bits |
///             each code b bits, lowest bit first            to a multiple of 8 bytes
///
/// Shapes    bytes: [O, row_bytes()], row_bytes() = 8 ceil(J M b / 64).
struct PackedCodes {
  Scheme scheme;
  std::ptrdiff_t num_out_groups = 0;  ///< O
  std::ptrdiff_t num_in_groups = 0;   ///< J
  std::vector<std::uint8_t> bytes;

  /// J M.
  [[nodiscard]] std::size_t codes_per_row() const noexcept {
    return static_cast<std::size_t>(num_in_groups) * static_cast<std::size_t>(scheme.num_codebooks);
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept {
    return packed_row_bytes(codes_per_row(), scheme.bits_per_code);
  }
  [[nodiscard]] std::span<const std::uint8_t> row(std::ptrdiff_t o) const noexcept {
    return std::span(bytes).subspan(static_cast<std::size_t>(o) * row_bytes(), row_bytes());
  }
};

/// @throws ShapeError if the layer's codes are not [O, J, M].
/// @throws ValueError if the scheme is not valid or a code is 2^b or more.
[[nodiscard]] inline PackedCodes pack_codes(const AdditiveLayer& layer) {
  if (!layer.scheme.is_valid()) raise<ValueError>("pack_codes: scheme ", to_string(layer.scheme), " is not valid");
  PackedCodes packed{layer.scheme, layer.num_out_groups(), layer.num_in_groups(), {}};
  const std::size_t per_row = packed.codes_per_row(), num_rows = static_cast<std::size_t>(packed.num_out_groups);
  if (layer.n_out < 0 || layer.n_in < 0 || layer.codes.size() != num_rows * per_row)
    raise<ShapeError>("pack_codes: codes must be [", packed.num_out_groups, ", ", packed.num_in_groups, ", ",
                      layer.scheme.num_codebooks, "], got ", layer.codes.size(), " of them");
  for (std::size_t i = 0; i < layer.codes.size(); ++i)
    if (layer.codes[i] >= layer.scheme.codebook_size())
      raise<ValueError>("pack_codes: code ", i, " is ", layer.codes[i], ", but codebooks have ",
                        layer.scheme.codebook_size(), " codewords");
  packed.bytes.resize(num_rows * packed.row_bytes());
  for (std::size_t o = 0; o < num_rows; ++o)
    pack_bits(std::span(layer.codes).subspan(o * per_row, per_row), layer.scheme.bits_per_code,
              std::span(packed.bytes).subspan(o * packed.row_bytes(), packed.row_bytes()));
  return packed;
}

/// Codes [O, J, M], as AdditiveLayer holds them.
/// @throws ShapeError if the bytes are not [O, row_bytes()].
[[nodiscard]] inline std::vector<std::uint16_t> unpack_codes(const PackedCodes& packed) {
  const std::size_t per_row = packed.codes_per_row(), num_rows = static_cast<std::size_t>(packed.num_out_groups);
  if (packed.bytes.size() != num_rows * packed.row_bytes())
    raise<ShapeError>("unpack_codes: ", num_rows, " rows of ", packed.row_bytes(), " bytes, got ",
                      packed.bytes.size(), " bytes");
  std::vector<std::uint16_t> codes(num_rows * per_row);
  for (std::size_t o = 0; o < num_rows; ++o)
    unpack_bits(packed.row(static_cast<std::ptrdiff_t>(o)), packed.scheme.bits_per_code,
                std::span(codes).subspan(o * per_row, per_row));
  return codes;
}

/// Whether bytes from outside are packed codes: the size fits the shape and the padding is zero.
/// Every bit pattern inside a row is a code, so nothing else can be wrong.
/// Errors: bad_value (scheme, padding), too_large (the size overflows), shape_mismatch.
[[nodiscard]] inline Status check_packed_codes(const PackedCodes& packed, std::string_view name) {
  const auto fail = [&](ErrorCode code, std::string_view why, std::uint64_t offset = 0) {
    return Error{code, concat(name, ": packed codes: ", why), offset};
  };
  if (!packed.scheme.is_valid() || packed.num_out_groups < 0 || packed.num_in_groups < 0)
    return fail(ErrorCode::bad_value, "a scheme or size out of range");
  constexpr std::ptrdiff_t limit = PTRDIFF_MAX / (Scheme::max_codebooks * Scheme::max_bits_per_code) - 64;
  if (packed.num_in_groups > limit ||
      (packed.num_out_groups > 0 && std::cmp_greater(packed.row_bytes(), PTRDIFF_MAX / packed.num_out_groups)))
    return fail(ErrorCode::too_large, "the size overflows");
  const std::size_t wanted = static_cast<std::size_t>(packed.num_out_groups) * packed.row_bytes();
  if (packed.bytes.size() != wanted)
    return fail(ErrorCode::shape_mismatch, concat(packed.bytes.size(), " bytes, expected ", wanted));
  const std::size_t used_bits = packed.codes_per_row() * static_cast<std::size_t>(packed.scheme.bits_per_code);
  for (std::ptrdiff_t o = 0; o < packed.num_out_groups; ++o) {
    const std::span<const std::uint8_t> row = packed.row(o);
    for (std::size_t at = used_bits / 8; at < row.size(); ++at) {
      const int code_bits = at == used_bits / 8 ? static_cast<int>(used_bits % 8) : 0;
      if (row[at] >> code_bits != 0)
        return fail(ErrorCode::bad_value, concat("row ", o, " has padding that is not zero"),
                    static_cast<std::uint64_t>(o) * row.size() + at);
    }
  }
  return Done{};
}

}  // namespace basin
