// error: Transform
// error: invert
#include "quantizer_parts.hpp"

struct Negate {
  template <class T>
  void apply(basin::Matrix<T>& rows) const { rows = -rows; }
#ifdef GOOD
  template <class T>
  void invert(basin::Matrix<T>& rows) const { rows = -rows; }
#endif
};

int main() {
  using Quantizer = basin::Quantizer<basin::EuclideanBlocks, Zeros, NoSearch, NoUpdate, Negate>;
  quantize(Quantizer({}, {}, {}, {}));
}
