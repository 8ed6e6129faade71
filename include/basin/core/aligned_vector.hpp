#pragma once

#include <xsimd/xsimd.hpp>

#include <vector>

namespace basin {
/// A vector that begins on a cache line, so that whole-register loads from its rows touch one line each.
template <class T>
using AlignedVector = std::vector<T, xsimd::aligned_allocator<T, 64>>;

}  // namespace basin
