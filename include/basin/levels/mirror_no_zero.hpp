#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <string_view>

namespace basin {
/// Mirror no-zero: uniform levels on both sides of zero and none at it.
///
/// Accuracy  0.118846 sigma^2 on a Gaussian, 1.2 % above the Lloyd-Max optimum.
/// Source    Qift, arXiv:2606.02823.
struct MirrorNoZero {
  static constexpr std::string_view name = "mnz";
  static constexpr std::array<float, 4> values{-1.5f, -0.5f, 0.5f, 1.5f};
};
static_assert(MirroredLevelSet<MirrorNoZero>);

}  // namespace basin
