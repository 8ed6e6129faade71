#pragma once

namespace basin::kernels {
/// Instruction sets, from the plainest. A kernel is a class template over one of these tags, and only
/// the file of that name under arch/ says what it is for that tag.
struct scalar {
  static constexpr const char* name = "scalar";
};
struct avx2 {  ///< AVX2, FMA, F16C
  static constexpr const char* name = "avx2";
};
struct avx2vnni {  ///< avx2 and AVX-VNNI
  static constexpr const char* name = "avx2vnni";
};
struct avx512bw {  ///< AVX-512 F, BW, VL, DQ
  static constexpr const char* name = "avx512bw";
};
struct avx512vnni {  ///< avx512bw and AVX-512 VNNI
  static constexpr const char* name = "avx512vnni";
};
struct avx512vbmi {  ///< avx512vnni and VBMI
  static constexpr const char* name = "avx512vbmi";
};
struct neon64 {  ///< Advanced SIMD of AArch64
  static constexpr const char* name = "neon64";
};
struct neon64dot {  ///< neon64 and its dot products
  static constexpr const char* name = "neon64dot";
};

/// What look-up tables hold, and so how far a product is from that of the decoded weight.
struct exact {  ///< fp32 entries: float rounding only
  static constexpr const char* name = "exact";
};
struct int16 {  ///< 16-bit entries, one step per input group and codebook
  static constexpr const char* name = "int16";
};
struct int8 {  ///< 8-bit entries, one step per input group and codebook
  static constexpr const char* name = "int8";
};

}  // namespace basin::kernels
