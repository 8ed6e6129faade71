// error: Searcher
// error: the searcher must accept what the initializer makes
#include "quantizer_parts.hpp"

struct Search {
#ifdef GOOD
  using Weight = basin::AdditiveWeight<float>;
#else
  using Weight = basin::AdditiveWeight<double>;
#endif
  void search(const basin::LayerObjective<float>&, Weight&, std::uint64_t, std::uint64_t,
              const basin::RunContext&) const {}
};

int main() { quantize(basin::Quantizer(basin::EuclideanBlocks{}, Zeros{}, Search{}, NoUpdate{})); }
