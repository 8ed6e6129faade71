// error: MirroredLevelSet
// error: is_mirrored
#include <basin/levels/gaussian.hpp>

#include <array>
#include <string_view>

struct Levels {
  static constexpr std::string_view name = "mine";
#ifdef GOOD
  static constexpr std::array<float, 4> values{-2.0f, -1.0f, 1.0f, 2.0f};
#else
  static constexpr std::array<float, 4> values{-2.0f, -1.0f, 0.0f, 1.0f};
#endif
};

int main() { return basin::inner_to_outer<Levels>() > 0; }
