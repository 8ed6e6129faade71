// error: Initializer
// error: initialize
#include "quantizer_parts.hpp"

struct Init {
#ifdef GOOD
  basin::AdditiveWeight<float> initialize(const basin::LayerObjective<float>&, const basin::HessianBlocks&,
                                          const basin::Scheme&, std::uint64_t, const basin::RunContext&) const;
#else  // takes no seed
  basin::AdditiveWeight<float> initialize(const basin::LayerObjective<float>&, const basin::HessianBlocks&,
                                          const basin::Scheme&, const basin::RunContext&) const;
#endif
};

int main() { quantize(basin::Quantizer(basin::EuclideanBlocks{}, Init{}, NoSearch{}, NoUpdate{})); }
