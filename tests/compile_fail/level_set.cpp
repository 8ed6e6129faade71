// error: LevelSet
// error: is_ascending
#include <basin/codebook/clip_search.hpp>

#include <array>
#include <string_view>

struct Levels {
  static constexpr std::string_view name = "mine";
#ifdef GOOD
  static constexpr std::array<float, 4> values{-1.5f, -0.5f, 0.5f, 1.5f};
#else  // signs last
  static constexpr std::array<float, 4> values{0.5f, 1.5f, -0.5f, -1.5f};
#endif
};

int main() { (void)basin::ClipSearch{}.search<Levels, float>(basin::Matrix<float>::Ones(1, 1)); }
