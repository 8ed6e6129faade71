#pragma once

#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>

namespace basin::kernels {
/// LevelMatvec for any number of tokens, meant for more than eight: a tile of weights becomes bytes in the first-level
/// cache and meets every token there.
///
///     scratch_size(batch)    bytes for tiles and sums; every thread has its own
///     run(layer, format, workspace, batch, first_row, last_row, y, y_stride, scratch)
///
/// Shapes    as LevelMatvec, batch >= 1; scratch is the host's, 64-byte aligned.
/// Accuracy  the bits of LevelMatvec.
/// Source    Goto and van de Geijn 2008, doi:10.1145/1356052.1356053, for blocking.
template <class Arch>
struct LevelMatmul;

}  // namespace basin::kernels
