// error: DistancePolicy
// error: squared_distance
#include <basin/metric/concepts.hpp>

struct Manhattan {
  using value_type = float;
  basin::Index dim() const noexcept { return 8; }
  basin::Vector<float> whiten(basin::ConstVectorRef<float> w) const { return w; }
#ifdef GOOD
  float squared_distance(basin::ConstVectorRef<float> w, basin::ConstVectorRef<float> c) const {
#else
  float distance(basin::ConstVectorRef<float> w, basin::ConstVectorRef<float> c) const {
#endif
    return (w - c).lpNorm<1>();
  }
};
static_assert(basin::DistancePolicy<Manhattan>);
