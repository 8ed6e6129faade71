// A pipeline whose parts do nothing: each test breaks one of them.
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/pipeline/quantizer.hpp>

struct Zeros {
  basin::AdditiveWeight<float> initialize(const basin::LayerObjective<float>&, const basin::HessianBlocks&,
                                          const basin::Scheme&, std::uint64_t, const basin::RunContext&) const;
};
struct NoSearch {
  void search(const basin::LayerObjective<float>&, basin::AdditiveWeight<float>&, std::uint64_t, std::uint64_t,
              const basin::RunContext&) const {}
};
struct NoUpdate {
  void update(const basin::LayerObjective<float>&, basin::AdditiveWeight<float>&, const basin::RunContext&) {}
};

template <class Quantizer>
void quantize(const Quantizer& quantizer) {
  const basin::Matrix<float> w(8, 8);
  const basin::Matrix<double> h(8, 8);
  (void)quantizer.quantize(w, h, basin::Scheme{});
}
