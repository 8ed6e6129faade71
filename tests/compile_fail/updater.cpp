// error: Updater
// error: the updater must accept what the initializer makes
#include "quantizer_parts.hpp"

struct Update {
#ifdef GOOD
  void update(const basin::LayerObjective<float>&, basin::AdditiveWeight<float>&, const basin::RunContext&) {}
#else
  void step(const basin::LayerObjective<float>&, basin::AdditiveWeight<float>&, const basin::RunContext&) {}
#endif
};

int main() { quantize(basin::Quantizer(basin::EuclideanBlocks{}, Zeros{}, NoSearch{}, Update{})); }
