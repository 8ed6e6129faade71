// error: Out: float, bfloat16 or half
#include <basin/kernels.hpp>

#ifdef GOOD
using Out = basin::kernels::half;
#else  // the bits alone do not say which of the two 16-bit formats
using Out = std::uint16_t;
#endif

int main() { return basin::kernels::dequantize_kernel<Out>(basin::kernels::best_kernels()) == nullptr; }
