#include <basin/kernels.hpp>

int main() { return basin::kernels::best_kernels().matvec_exact.run != nullptr ? 0 : 1; }
