// error: MetricPolicy
// error: blocks
#include "quantizer_parts.hpp"

struct Metric {
#ifdef GOOD
  basin::HessianBlocks blocks(basin::ConstMatrixRef<double> hessian, basin::Index g) const {
#else
  basin::HessianBlocks make_blocks(basin::ConstMatrixRef<double> hessian, basin::Index g) const {
#endif
    return basin::EuclideanBlocks{}.blocks(hessian, g);
  }
};

int main() { quantize(basin::Quantizer<Metric, Zeros, NoSearch, NoUpdate>({}, {}, {}, {})); }
