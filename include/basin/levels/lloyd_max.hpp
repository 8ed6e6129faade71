#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <string_view>

namespace basin {
/// The four levels of least squared error on a Gaussian, in units of sigma.
///
/// Accuracy  0.117482 sigma^2: the optimum of 2 bits.
/// Source    Lloyd, IEEE Trans. Inf. Theory 28(2), 1982; Max, IRE Trans. Inf. Theory 6(1), 1960.
struct LloydMax {
  static constexpr std::string_view name = "lloyd-max";
  static constexpr std::array<float, 4> values{-1.51041761f, -0.45278003f, 0.45278003f, 1.51041761f};
};
static_assert(MirroredLevelSet<LloydMax>);

}  // namespace basin
