#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/neon64_kv4.hpp>
#include <basin/kernels/arch/neon64_levels.hpp>
#include <basin/kernels/arch/neon64_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// AArch64: 16 look-ups in up to 64 bytes are one instruction, and those in 256 bytes four.
namespace basin::kernels {
namespace detail {
/// Eight bit-packed codes at once: eight codes fill whole bytes, a byte look-up brings each its four, shifts and a
/// mask leave the code, and a product turns it into an offset.
struct Neon64Unpacker {
  uint8x16_t bytes[2];
  int32x4_t shifts[2];
  uint32x4_t mask, stride;

  BASIN_ALWAYS_INLINE Neon64Unpacker(int bits, std::int32_t codeword_stride) noexcept
      : mask(vdupq_n_u32((1u << bits) - 1)), stride(vdupq_n_u32(static_cast<std::uint32_t>(codeword_stride))) {
    for (int half = 0; half < 2; ++half) {
      std::uint32_t byte[4];
      std::int32_t shift[4];
      for (int i = 0; i < 4; ++i) {
        const int bit = (4 * half + i) * bits;
        byte[i] = static_cast<std::uint32_t>(bit / 8) * 0x01010101u + 0x03020100u;  // past byte 15 only what the mask removes
        shift[i] = -(bit % 8);
      }
      bytes[half] = vreinterpretq_u8_u32(vld1q_u32(byte));
      shifts[half] = vld1q_s32(shift);
    }
  }
  /// Reads 16 bytes, of which the codes are the first `bits`.
  BASIN_ALWAYS_INLINE void unpack(const std::uint8_t* at, std::uint32_t* offsets) const noexcept {
    const uint8x16_t window = vld1q_u8(at);
    for (int half = 0; half < 2; ++half) {
      const uint32x4_t words = vreinterpretq_u32_u8(vqtbl1q_u8(window, bytes[half]));
      vst1q_u32(offsets + 4 * half, vmulq_u32(vandq_u32(vshlq_u32(words, shifts[half]), mask), stride));
    }
  }
};

template <>
struct Simd<neon64> {
  static constexpr int lanes = 16, floats = 4, half_floats = 4, build_vectors = 16, codes_at_once = 4;
  static constexpr bool signed_entries = true;
  template <int Planes>
  static constexpr int strips = 1;
  using Unpacker = Neon64Unpacker;
  using Bytes = uint8x16_t;
  using Floats = float32x4_t;
  struct Sums {
    int32x4_t v[4];
  };

  static BASIN_ALWAYS_INLINE Floats broadcast(float value) noexcept { return vdupq_n_f32(value); }
  static BASIN_ALWAYS_INLINE Floats load(const float* at) noexcept { return vld1q_f32(at); }
  static BASIN_ALWAYS_INLINE void store(float* at, Floats value) noexcept { vst1q_f32(at, value); }
  static BASIN_ALWAYS_INLINE Floats add(Floats a, Floats b) noexcept { return vaddq_f32(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply(Floats a, Floats b) noexcept { return vmulq_f32(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply_add(Floats a, Floats b, Floats c) noexcept { return vfmaq_f32(c, a, b); }
  static BASIN_ALWAYS_INLINE Floats max_magnitude(Floats largest, Floats value) noexcept {
    return vmaxnmq_f32(vabsq_f32(value), largest);  // a NaN leaves `largest`
  }
  static BASIN_ALWAYS_INLINE float largest_lane(Floats value) noexcept { return vmaxvq_f32(value); }
  static BASIN_ALWAYS_INLINE float sum_lanes(Floats value) noexcept { return vaddvq_f32(value); }
  static BASIN_ALWAYS_INLINE Floats load_half(const std::uint16_t* at) noexcept {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at)));
  }
  static BASIN_ALWAYS_INLINE void decode_two(const std::uint16_t* a, const std::uint16_t* b, Floats (&out)[4]) noexcept {
    const float16x8_t first = vreinterpretq_f16_u16(vld1q_u16(a)), second = vreinterpretq_f16_u16(vld1q_u16(b));
    out[0] = vcvt_f32_f16(vget_low_f16(first));
    out[1] = vcvt_high_f32_f16(first);
    out[2] = vcvt_f32_f16(vget_low_f16(second));
    out[3] = vcvt_high_f32_f16(second);
  }
  static BASIN_ALWAYS_INLINE Floats multiply_add_half(const float* x, const std::uint16_t* codeword, Floats sum) noexcept {
    return multiply_add(load(x), load_half(codeword), sum);
  }
  static BASIN_ALWAYS_INLINE float half_to_float(std::uint16_t bits) noexcept {
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
  }

  static BASIN_ALWAYS_INLINE Bytes load_bytes(const std::uint8_t* at) noexcept { return vld1q_u8(at); }
  static BASIN_ALWAYS_INLINE Bytes low_half(Bytes codes) noexcept { return vandq_u8(codes, vdupq_n_u8(15)); }
  static BASIN_ALWAYS_INLINE Bytes high_half(Bytes codes) noexcept { return vshrq_n_u8(codes, 4); }
  static BASIN_ALWAYS_INLINE Bytes low_six(Bytes codes) noexcept { return vandq_u8(codes, vdupq_n_u8(63)); }
  static BASIN_ALWAYS_INLINE Bytes top_bits(Bytes a, Bytes b, Bytes c) noexcept {
    return vshrq_n_u8(vsriq_n_u8(vsriq_n_u8(c, b, 2), a, 4), 2);  // inserting keeps the bits above
  }

  template <int Size>
  struct Table {
    uint8x16x4_t v[Size == 256 ? 4 : 1];
  };
  template <int Size>
  static BASIN_ALWAYS_INLINE Table<Size> load_table(const std::uint8_t* at) noexcept {
    Table<Size> table;
    if constexpr (Size == 16) table.v[0].val[0] = vld1q_u8(at);
    else unroll<Size / 64>([&](int i) BASIN_LAMBDA_INLINE { table.v[i] = vld1q_u8_x4(at + 64 * i); });
    return table;
  }
  /// An index of 64 or more gives 0, or in an extending look-up what was there.
  template <int Size>
  static BASIN_ALWAYS_INLINE Bytes lookup(const Table<Size>& table, Bytes codes) noexcept {
    if constexpr (Size == 16) return vqtbl1q_u8(table.v[0].val[0], codes);
    Bytes entries = vqtbl4q_u8(table.v[0], codes);
    if constexpr (Size == 256)
      unroll<3>([&](int i) BASIN_LAMBDA_INLINE {
        codes = vsubq_u8(codes, vdupq_n_u8(64));
        entries = vqtbx4q_u8(entries, table.v[i + 1], codes);
      });
    return entries;
  }

  static BASIN_ALWAYS_INLINE Sums load_sums(const std::int32_t* at) noexcept {
    Sums sums;
    unroll<4>([&](int i) BASIN_LAMBDA_INLINE { sums.v[i] = vld1q_s32(at + 4 * i); });
    return sums;
  }
  static BASIN_ALWAYS_INLINE void store_sums(std::int32_t* at, const Sums& sums) noexcept {
    unroll<4>([&](int i) BASIN_LAMBDA_INLINE { vst1q_s32(at + 4 * i, sums.v[i]); });
  }
  static BASIN_ALWAYS_INLINE void set_multiplier(std::int32_t* multipliers, std::ptrdiff_t q, std::int32_t k) noexcept {
    reinterpret_cast<std::uint8_t*>(multipliers)[q] = static_cast<std::uint8_t>(k);
  }
  /// Products of two codes fill 16 bits: 2 * 127 * 128 < 2^15. Rows are in order.
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[4], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const auto* k = reinterpret_cast<const std::int8_t*>(multipliers) + q;
    add_two(sums, entry[0], k[0], entry[1], k[1]);
    add_two(sums, entry[2], k[2], entry[3], k[3]);
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    add_two(sums, entry[0], reinterpret_cast<const std::int8_t*>(multipliers)[q], vdupq_n_u8(0), 0);
  }

  /// Entries fit by construction: their step was chosen for the largest of them.
  template <int Planes, int Size>
  static BASIN_ALWAYS_INLINE void quantize(const float* entries, float inverse, std::uint8_t* table) noexcept {
    const auto words = [&](int k) BASIN_LAMBDA_INLINE {  // of 8 entries
      const int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(entries + k), inverse));
      return vqmovn_high_s32(vqmovn_s32(low), vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(entries + k + 4), inverse)));
    };
    for (int k = 0; k < Size; k += 8) {
      const int16x8_t word = words(k);
      if constexpr (Planes == 1) {
        vst1_u8(table + k, vreinterpret_u8_s8(vqmovn_s16(word)));
      } else {
        vst1_u8(table + k, veor_u8(vreinterpret_u8_s8(vmovn_s16(word)), vdup_n_u8(128)));
        vst1_u8(table + Size + k, vreinterpret_u8_s8(vshrn_n_s16(word, 8)));
      }
    }
  }
  static BASIN_ALWAYS_INLINE Floats to_floats(const std::int32_t* at, std::int32_t bias) noexcept {
    return vcvtq_f32_s32(vsubq_s32(vld1q_s32(at), vdupq_n_s32(bias)));
  }
  static BASIN_ALWAYS_INLINE void interleave(const Floats (&in)[4], float* out) noexcept {
    for (int i = 0; i < 4; ++i) vst1q_f32(out + 4 * i, in[i]);
  }

  /// A float table of 16 or 64 entries is four tables of bytes; four look-ups and eight interleaves make 16
  /// floats. 256 entries are looked up by loads of single floats.
  template <int Size>
  static BASIN_ALWAYS_INLINE void pack_exact(const float* entries, std::uint8_t* table) noexcept {
    for (int k = 0; k < Size; k += 16) {
      if constexpr (Size == 256) {
        for (int i = 0; i < 16; i += 4) vst1q_f32(reinterpret_cast<float*>(table) + k + i, vld1q_f32(entries + k + i));
      } else {
        const uint8x16x4_t bytes = vld4q_u8(reinterpret_cast<const std::uint8_t*>(entries + k));
        for (int i = 0; i < 4; ++i) vst1q_u8(table + i * Size + k, bytes.val[i]);
      }
    }
  }
  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_exact(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    if constexpr (Bits == 8) add_loads(tile, rows, num_codes, reinterpret_cast<const float*>(tables), sums);
    else add_bytes<Bits>(tile, rows, num_codes, tables, sums);
  }
  static BASIN_ALWAYS_INLINE void exact_rows(const float* sums, float* out) noexcept {
    for (int i = 0; i < 4; ++i) vst1q_f32(out + 4 * i, vld1q_f32(sums + 4 * i));
  }

 private:
  static BASIN_ALWAYS_INLINE void add_two(Sums& sums, Bytes a, std::int8_t ka, Bytes b, std::int8_t kb) noexcept {
    const int8x16_t first = vreinterpretq_s8_u8(a), second = vreinterpretq_s8_u8(b), k = vdupq_n_s8(ka), l = vdupq_n_s8(kb);
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(first), vget_low_s8(k)), vget_low_s8(second), vget_low_s8(l));
    const int16x8_t high = vmlal_high_s8(vmull_high_s8(first, k), second, l);
    sums.v[0] = vaddw_s16(sums.v[0], vget_low_s16(low));
    sums.v[1] = vaddw_high_s16(sums.v[1], low);
    sums.v[2] = vaddw_s16(sums.v[2], vget_low_s16(high));
    sums.v[3] = vaddw_high_s16(sums.v[3], high);
  }
  /// Sums of 8 rows, one float load per look-up.
  static BASIN_ALWAYS_INLINE void add_loads(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes, const float* tables,
                                            float* sums) noexcept {
    for (std::ptrdiff_t row = 0; row < rows; row += 8) {
      float sum[8];
      unroll<8>([&](int r) BASIN_LAMBDA_INLINE { sum[r] = sums[row + r]; });
      for (std::ptrdiff_t q = 0; q < num_codes; ++q) {
        const std::uint8_t* codes = tile + q * rows + row;
        unroll<8>([&](int r) BASIN_LAMBDA_INLINE { sum[r] += tables[q * 256 + codes[r]]; });
      }
      unroll<8>([&](int r) BASIN_LAMBDA_INLINE { sums[row + r] = sum[r]; });
    }
  }
  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_bytes(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    constexpr int size = 1 << Bits;
    for (std::ptrdiff_t first = 0; first < rows; first += lanes) {
      Floats sum[4];
      unroll<4>([&](int i) BASIN_LAMBDA_INLINE { sum[i] = vld1q_f32(sums + first + 4 * i); });
      visit_codes<neon64, Bits, 1, Bits == 8 ? 8192 : 6144>(tile + first, rows, num_codes, [&](const auto& codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        unroll<sizeof codes[0] / sizeof codes[0][0]>([&](int n) BASIN_LAMBDA_INLINE {
          const std::uint8_t* table = tables + (q + n) * 4 * size;
          Bytes byte[4];
          unroll<4>([&](int i) BASIN_LAMBDA_INLINE { byte[i] = lookup(load_table<size>(table + i * size), codes[0][n]); });
          const uint16x8_t low[2] = {vreinterpretq_u16_u8(vzip1q_u8(byte[0], byte[1])), vreinterpretq_u16_u8(vzip2q_u8(byte[0], byte[1]))};
          const uint16x8_t high[2] = {vreinterpretq_u16_u8(vzip1q_u8(byte[2], byte[3])), vreinterpretq_u16_u8(vzip2q_u8(byte[2], byte[3]))};
          unroll<2>([&](int i) BASIN_LAMBDA_INLINE {
            sum[2 * i] = vaddq_f32(sum[2 * i], vreinterpretq_f32_u16(vzip1q_u16(low[i], high[i])));
            sum[2 * i + 1] = vaddq_f32(sum[2 * i + 1], vreinterpretq_f32_u16(vzip2q_u16(low[i], high[i])));
          });
        });
      });
      unroll<4>([&](int i) BASIN_LAMBDA_INLINE { vst1q_f32(sums + first + 4 * i, sum[i]); });
    }
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<neon64, Precision> : detail::SimdLutMatvec<neon64, Precision> {};

}  // namespace basin::kernels

#endif
