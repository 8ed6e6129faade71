#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <string_view>

namespace basin {
/// No zero, but inner levels too far out: a control that shows that leaving out zero is not enough.
///
/// Accuracy  0.158118 sigma^2 on a Gaussian, above the integers that it avoids.
/// Source    Qift, arXiv:2606.02823.
struct FarMirrorNoZero {
  static constexpr std::string_view name = "far-mnz";
  static constexpr std::array<float, 4> values{-2.0f, -1.0f, 1.0f, 2.0f};
};
static_assert(MirroredLevelSet<FarMirrorNoZero>);

}  // namespace basin
