#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <string_view>

namespace basin {
/// Mirror no-zero in powers of two: a decoder needs a sign and a shift by 0 or 2.
///
/// Accuracy  0.120490 sigma^2 on a Gaussian, 2.6 % above the Lloyd-Max optimum.
/// Source    Qift, arXiv:2606.02823.
struct PowerOfTwoMirrorNoZero {
  static constexpr std::string_view name = "pot-mnz";
  static constexpr std::array<float, 4> values{-4.0f, -1.0f, 1.0f, 4.0f};
};
static_assert(MirroredLevelSet<PowerOfTwoMirrorNoZero>);

}  // namespace basin
