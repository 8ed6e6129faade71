// error: QuantizedWeight
// error: stored_bits
#include <basin/pipeline/concepts.hpp>

struct Weight {
  using value_type = float;
  basin::Matrix<float> decode(const basin::RunContext&) const;
#ifdef GOOD
  basin::BitsPerWeight stored_bits() const;
#endif
  friend void round_to_half(Weight&) {}
};
static_assert(basin::QuantizedWeight<Weight>);
