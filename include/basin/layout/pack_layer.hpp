#pragma once

#include <basin/core/config.hpp>
#include <basin/core/half.hpp>
#include <basin/core/scheme.hpp>
#include <basin/layout/additive_view.hpp>
#include <basin/layout/bit_pack.hpp>
#include <basin/layout/detail/packed_header.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace basin {
/// Version of the packed bytes; a reader refuses any other.
inline constexpr std::uint32_t packed_layer_version = 1;

/// What keeps a layer from being packed or opened.
enum class PackError : std::uint8_t { none, bad_scheme, bad_shape, code_out_of_range, memory_too_small, memory_misaligned, bad_header, bad_codebooks, other_version, other_byte_order };

[[nodiscard]] constexpr const char* describe(PackError error) noexcept {
  switch (error) {
    case PackError::none: return "no error";
    case PackError::bad_scheme: return "the scheme is out of range: 1..8 codebooks, 1..16 bits, codewords of 1..4096 weights";
    case PackError::bad_shape: return "n_out and n_in must be positive, n_out a multiple of g_out, and the bytes must fit the address space";
    case PackError::code_out_of_range: return "a code is 2^b or more; the codes belong to another scheme";
    case PackError::memory_too_small: return "the memory is smaller than packed_layer_bytes()";
    case PackError::memory_misaligned: return "the memory must start on a 64-byte boundary";
    case PackError::bad_header: return "not a packed layer, or one whose header is damaged";
    case PackError::bad_codebooks: return "the two copies of the codebooks differ; pack the layer again";
    case PackError::other_version: return "packed in another version of the byte format; pack the layer again with this one";
    case PackError::other_byte_order: return "packed on a machine of the other byte order; pack the layer again on this one";
  }
  return "unknown error";
}

struct PackResult {
  PackedLayer layer;
  PackError error = PackError::none;
};

namespace detail {
/// Where the arrays of a packed layer lie, in bytes from its start:
///
///     0       64        scales      codebooks     transposed      codes
///     | header | fp32 [rows] | fp32 or fp16 | fp32 (planes) | bytes |     each padded to 64 bytes
///
/// Header, little-endian: "BASINPKL", u32 version, u32 M, u32 b, u32 g, u32 g_out, u32 byte order of the arrays
/// (0 little-endian, 1 big-endian), u64 n_out, u64 n_in, u64 bytes in all, u64 FNV-1a hash of the 56 bytes before it.
struct PackedLayout {
  std::ptrdiff_t groups, out_groups, padded_rows, row_bytes;
  std::size_t scales, codebooks, transposed, codes, total;
  bool valid;
};

[[nodiscard]] constexpr PackedLayout packed_layout(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept {
  PackedLayout at{};
  constexpr std::ptrdiff_t limit = PTRDIFF_MAX / 4096;
  if (!scheme.is_valid() || n_out < 1 || n_in < 1 || n_out > limit || n_in > limit || n_out % scheme.out_group_size != 0) return at;
  const bool planes = code_family(scheme) == CodeFamily::planes;
  constexpr std::ptrdiff_t granule = PackedLayer::row_granule, per_block = PackedLayer::groups_per_block;
  at.groups = scheme.num_in_groups(n_in);
  at.out_groups = n_out / scheme.out_group_size;
  at.padded_rows = planes ? (n_out + granule - 1) / granule * granule : n_out;
  const std::ptrdiff_t rows = planes ? at.padded_rows : at.out_groups;
  if (planes) {
    const std::ptrdiff_t codebooks = scheme.num_codebooks;
    at.row_bytes = at.groups / per_block * num_planes(per_block * codebooks, scheme.bits_per_code) +
                   num_planes(at.groups % per_block * codebooks, scheme.bits_per_code);
  } else {
    at.row_bytes = static_cast<std::ptrdiff_t>(
        packed_row_bytes(static_cast<std::size_t>(at.groups) * static_cast<std::size_t>(scheme.num_codebooks), scheme.bits_per_code));
  }
  constexpr std::size_t budget = static_cast<std::size_t>(PTRDIFF_MAX) / 2;
  // Sums of look-ups are kept in 32 bits.
  if (planes && at.groups > INT32_MAX / 255 / scheme.num_codebooks) return at;
  if (static_cast<std::size_t>(at.row_bytes) > budget / static_cast<std::size_t>(rows)) return at;
  const auto up = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
  const std::size_t values = static_cast<std::size_t>(scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size());
  at.scales = 64;
  at.codebooks = at.scales + up(static_cast<std::size_t>(rows) * 4);
  at.transposed = at.codebooks + up(values * (planes ? 4 : 2));
  at.codes = at.transposed + (planes ? up(values * 4) : 0);
  at.total = at.codes + up(static_cast<std::size_t>(rows) * static_cast<std::size_t>(at.row_bytes));
  at.valid = true;
  return at;
}

inline constexpr std::uint8_t packed_magic[8] = {'B', 'A', 'S', 'I', 'N', 'P', 'K', 'L'};

[[nodiscard]] inline PackedLayer packed_pointers(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in,
                                                 const PackedLayout& at, const std::uint8_t* bytes) noexcept {
  PackedLayer layer;
  layer.scheme = scheme;
  layer.family = code_family(scheme);
  layer.n_out = n_out;
  layer.n_in = n_in;
  layer.num_in_groups = at.groups;
  layer.padded_rows = at.padded_rows;
  layer.row_bytes = at.row_bytes;
  layer.codes = bytes + at.codes;
  layer.scales = reinterpret_cast<const float*>(bytes + at.scales);
  if (layer.family == CodeFamily::planes) {
    layer.codebooks = reinterpret_cast<const float*>(bytes + at.codebooks);
    layer.transposed_codebooks = reinterpret_cast<const float*>(bytes + at.transposed);
  } else {
    layer.half_codebooks = reinterpret_cast<const std::uint16_t*>(bytes + at.codebooks);
  }
  return layer;
}

/// Whether both copies of the codebooks hold the same bits.
[[nodiscard]] inline bool codebooks_agree(const PackedLayer& layer) noexcept {
  const std::ptrdiff_t size = layer.scheme.codebook_size(), g = layer.scheme.in_group_size;
  for (std::ptrdiff_t m = 0; m < layer.scheme.num_codebooks; ++m)
    for (std::ptrdiff_t k = 0; k < size; ++k)
      for (std::ptrdiff_t i = 0; i < g; ++i)
        if (std::memcmp(layer.codebooks + (m * size + k) * g + i, layer.transposed_codebooks + (m * g + i) * size + k, sizeof(float)) != 0)
          return false;
  return true;
}

[[nodiscard]] inline float max_codeword_norm(const PackedLayer& layer) noexcept {
  float largest = 0;
  const float* codeword = layer.codebooks;
  for (std::ptrdiff_t k = 0; k < layer.scheme.num_codebooks * layer.scheme.codebook_size(); ++k) {
    float sum = 0;
    for (int i = 0; i < layer.scheme.in_group_size; ++i, ++codeword) sum += *codeword * *codeword;
    if (sum > largest || sum != sum) largest = sum;  // a NaN stays
  }
  return std::sqrt(largest);
}

/// The planes of one tile. Codes come row by row, so that reads run along memory and the writes of a
/// tile stay in the first-level cache. Returns the bitwise or of all codes.
template <class Code>
[[nodiscard]] std::uint32_t pack_tile(const Code* codes, std::ptrdiff_t code_stride, std::ptrdiff_t valid_rows,
                                      std::ptrdiff_t rows, std::ptrdiff_t num_codes, int bits, std::uint8_t* tile) noexcept {
  std::uint32_t seen = 0;
  const std::ptrdiff_t planes = num_planes(num_codes, bits);
  for (std::ptrdiff_t r = 0; r < rows; ++r) {
    std::uint8_t* BASIN_RESTRICT column = tile + r;
    if (r >= valid_rows) {
      for (std::ptrdiff_t p = 0; p < planes; ++p) column[p * rows] = 0;
      continue;
    }
    const Code* BASIN_RESTRICT row = codes + r * code_stride;
    const auto code = [&](std::ptrdiff_t q) {
      const auto value = static_cast<std::uint32_t>(row[q]);
      seen |= value;
      return value;
    };
    const auto put = [&](std::ptrdiff_t p, std::uint32_t value) { column[p * rows] = static_cast<std::uint8_t>(value); };
    if (bits == 8) {
      for (std::ptrdiff_t q = 0; q < num_codes; ++q) put(q, code(q));
    } else if (bits == 4) {
      for (std::ptrdiff_t q = 0; q + 1 < num_codes; q += 2) put(q / 2, code(q) | code(q + 1) << 4);
      if (num_codes % 2 != 0) put(num_codes / 2, code(num_codes - 1));
    } else {
      std::ptrdiff_t q = 0;
      for (; q + 3 < num_codes; q += 4) {
        const std::uint32_t last = code(q + 3);
        for (int i = 0; i < 3; ++i) put(q / 4 * 3 + i, code(q + i) | (last >> (2 * i) & 3) << 6);
      }
      for (std::ptrdiff_t p = q / 4 * 3; q < num_codes; ++q, ++p) put(p, code(q));
    }
  }
  return seen;
}

template <class Code>
[[nodiscard]] std::uint32_t pack_planes(const BasicAdditiveView<Code>& from, const PackedLayer& layer, std::uint8_t* codes) noexcept {
  std::uint32_t seen = 0;
  const std::ptrdiff_t m = from.scheme.num_codebooks, stride = layer.num_in_groups * m;
  for (std::ptrdiff_t block = 0; block < num_input_blocks(layer); ++block)
    for (std::ptrdiff_t row = 0; row < layer.padded_rows; row += PackedLayer::rows_per_block) {
      const std::ptrdiff_t rows = rows_in_block(layer, row), left = layer.n_out - row;
      seen |= pack_tile(from.codes + row * stride + block * PackedLayer::groups_per_block * m, stride, left < rows ? left : rows,
                        rows, groups_in_block(layer, block) * m, from.scheme.bits_per_code,
                        codes + (tile_codes(layer, block, row) - layer.codes));
    }
  return seen;
}

template <class Code>
[[nodiscard]] std::uint32_t pack_rows(const BasicAdditiveView<Code>& from, const PackedLayer& layer, std::uint8_t* codes) noexcept {
  const std::size_t per_row = static_cast<std::size_t>(layer.num_in_groups) * static_cast<std::size_t>(from.scheme.num_codebooks);
  const std::size_t row_bytes = static_cast<std::size_t>(layer.row_bytes);
  const int bits = from.scheme.bits_per_code;
  std::uint32_t seen = 0;
  for (std::ptrdiff_t o = 0; o < from.n_out / from.scheme.out_group_size; ++o) {
    const Code* row = from.codes + o * static_cast<std::ptrdiff_t>(per_row);
    std::uint8_t* out = codes + o * layer.row_bytes;
    std::uint64_t pending = 0;
    int num_pending = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < per_row; ++i) {
      seen |= static_cast<std::uint32_t>(row[i]);
      pending |= std::uint64_t{row[i]} << num_pending;
      for (num_pending += bits; num_pending >= 8; num_pending -= 8, pending >>= 8) out[at++] = static_cast<std::uint8_t>(pending);
    }
    if (num_pending > 0) out[at++] = static_cast<std::uint8_t>(pending);
    while (at < row_bytes) out[at++] = 0;
  }
  return seen;
}
}  // namespace detail

/// Bytes of a packed layer; 0 where the scheme or shape is impossible.
[[nodiscard]] constexpr std::size_t packed_layer_bytes(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept {
  const detail::PackedLayout at = detail::packed_layout(scheme, n_out, n_in);
  return at.valid ? at.total : 0;
}

/// Writes a stored layer in the form that kernels read; see PackedLayer for the order of the bytes.
/// The bytes may be kept in a file and opened again, on machines of the same byte order: they hold no address.
///
/// @param memory  at least packed_layer_bytes(), on a 64-byte boundary; all of them are written, also
///                where an error is found. The result points into it.
/// Cost           one pass; above 1 GB/s of codes on one thread.
template <class Code>
[[nodiscard]] PackResult pack_layer(const BasicAdditiveView<Code>& from, std::span<std::byte> memory) noexcept {
  const Scheme scheme = from.scheme;
  if (!scheme.is_valid() || scheme.bits_per_code > static_cast<int>(8 * sizeof(Code))) return {{}, PackError::bad_scheme};
  const detail::PackedLayout at = detail::packed_layout(scheme, from.n_out, from.n_in);
  if (!at.valid) return {{}, PackError::bad_shape};
  if (memory.size() < at.total) return {{}, PackError::memory_too_small};
  auto* bytes = reinterpret_cast<std::uint8_t*>(memory.data());
  if (reinterpret_cast<std::uintptr_t>(bytes) % 64 != 0) return {{}, PackError::memory_misaligned};

  const PackedLayer layer = detail::packed_pointers(scheme, from.n_out, from.n_in, at, bytes);
  std::memset(bytes, 0, at.codes);
  std::memcpy(bytes, detail::packed_magic, 8);
  const std::uint32_t small[] = {packed_layer_version, static_cast<std::uint32_t>(scheme.num_codebooks),
                                 static_cast<std::uint32_t>(scheme.bits_per_code), static_cast<std::uint32_t>(scheme.in_group_size),
                                 static_cast<std::uint32_t>(scheme.out_group_size), static_cast<std::uint32_t>(detail::native_byte_order)};
  for (int i = 0; i < 6; ++i) detail::put_header_field(bytes + 8 + 4 * i, small[i], 4);
  detail::put_header_field(bytes + 32, static_cast<std::uint64_t>(from.n_out), 8);
  detail::put_header_field(bytes + 40, static_cast<std::uint64_t>(from.n_in), 8);
  detail::put_header_field(bytes + 48, at.total, 8);
  detail::put_header_field(bytes + 56, detail::header_hash(bytes), 8);

  auto* scales = reinterpret_cast<float*>(bytes + at.scales);
  for (std::ptrdiff_t o = 0; o < at.out_groups; ++o) scales[o] = half_to_float(from.scales[o]);
  const std::ptrdiff_t m_count = scheme.num_codebooks, k_count = scheme.codebook_size(), g = scheme.in_group_size;
  std::uint32_t seen = 0;
  if (layer.family == CodeFamily::planes) {
    auto* codebooks = reinterpret_cast<float*>(bytes + at.codebooks);
    auto* transposed = reinterpret_cast<float*>(bytes + at.transposed);
    for (std::ptrdiff_t m = 0; m < m_count; ++m)
      for (std::ptrdiff_t k = 0; k < k_count; ++k)
        for (std::ptrdiff_t i = 0; i < g; ++i) {
          const float value = half_to_float(from.codebooks[(m * k_count + k) * g + i]);
          codebooks[(m * k_count + k) * g + i] = value;
          transposed[(m * g + i) * k_count + k] = value;
        }
    seen = detail::pack_planes(from, layer, bytes + at.codes);
  } else {
    std::memcpy(bytes + at.codebooks, from.codebooks, static_cast<std::size_t>(m_count * k_count * scheme.codeword_size()) * 2);
    seen = detail::pack_rows(from, layer, bytes + at.codes);
  }
  const std::size_t used = static_cast<std::size_t>(layer.row_bytes) *
                           static_cast<std::size_t>(layer.family == CodeFamily::planes ? at.padded_rows : at.out_groups);
  std::memset(bytes + at.codes + used, 0, at.total - at.codes - used);
  if (seen >> scheme.bits_per_code != 0) return {{}, PackError::code_out_of_range};
  PackedLayer packed = layer;
  if (packed.family == CodeFamily::planes) packed.max_codeword_norm = detail::max_codeword_norm(packed);
  return {packed, PackError::none};
}

/// Packed bytes from outside, checked: magic, version, byte order, scheme, shape, size, and that both copies of the
/// codebooks agree. Any codes, codewords and scales are safe to read, since every bit pattern of a code
/// is a codeword's.
[[nodiscard]] inline PackResult open_packed_layer(std::span<const std::byte> memory) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(memory.data());
  if (memory.size() < 64) return {{}, PackError::memory_too_small};
  if (reinterpret_cast<std::uintptr_t>(bytes) % 64 != 0) return {{}, PackError::memory_misaligned};
  if (std::memcmp(bytes, detail::packed_magic, 8) != 0) return {{}, PackError::bad_header};
  if (detail::header_field(bytes + 8, 4) != packed_layer_version) return {{}, PackError::other_version};
  if (detail::header_field(bytes + 56, 8) != detail::header_hash(bytes) || detail::header_field(bytes + 28, 4) > 1)
    return {{}, PackError::bad_header};
  if (detail::header_field(bytes + 28, 4) != detail::native_byte_order) return {{}, PackError::other_byte_order};
  std::uint64_t fields[4];
  for (int i = 0; i < 4; ++i) {
    fields[i] = detail::header_field(bytes + 12 + 4 * i, 4);
    if (fields[i] > Scheme::max_codeword_size) return {{}, PackError::bad_scheme};
  }
  const Scheme scheme{static_cast<int>(fields[0]), static_cast<int>(fields[1]), static_cast<int>(fields[2]), static_cast<int>(fields[3])};
  if (!scheme.is_valid()) return {{}, PackError::bad_scheme};
  const std::uint64_t n_out = detail::header_field(bytes + 32, 8), n_in = detail::header_field(bytes + 40, 8);
  if (n_out > PTRDIFF_MAX || n_in > PTRDIFF_MAX) return {{}, PackError::bad_shape};
  const detail::PackedLayout at = detail::packed_layout(scheme, static_cast<std::ptrdiff_t>(n_out), static_cast<std::ptrdiff_t>(n_in));
  if (!at.valid) return {{}, PackError::bad_shape};
  if (detail::header_field(bytes + 48, 8) != at.total) return {{}, PackError::bad_header};
  if (memory.size() < at.total) return {{}, PackError::memory_too_small};
  PackedLayer packed = detail::packed_pointers(scheme, static_cast<std::ptrdiff_t>(n_out), static_cast<std::ptrdiff_t>(n_in), at, bytes);
  if (packed.family == CodeFamily::planes) {
    if (!detail::codebooks_agree(packed)) return {{}, PackError::bad_codebooks};
    packed.max_codeword_norm = detail::max_codeword_norm(packed);
  }
  return {packed, PackError::none};
}

}  // namespace basin
