// error: ShiftedLevelSet
// error: must have the values 0, 1, .., N - 1
#include <basin/codebook/clip_search.hpp>

#include <array>
#include <string_view>

struct Levels {
  static constexpr std::string_view name = "mine";
  static constexpr bool has_zero_point = true;
#ifdef GOOD
  static constexpr std::array<float, 4> values{0.0f, 1.0f, 2.0f, 3.0f};
#else  // shifted already
  static constexpr std::array<float, 4> values{-2.0f, -1.0f, 0.0f, 1.0f};
#endif
};

int main() { (void)basin::ClipSearch{}.search<Levels, float>(basin::Matrix<float>::Ones(1, 1)); }
