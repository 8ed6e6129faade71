#pragma once

#include <xsimd/xsimd.hpp>

#include <vector>

namespace basin {
/// A vector that begins on a cache line: where rows are multiples of 64 bytes, a register loaded from one
/// touches one line.
template <class T>
using AlignedVector = std::vector<T, xsimd::aligned_allocator<T, 64>>;

}  // namespace basin
