#include <basin_decode.hpp>

template basin::kernels::KernelSet basin::kernels::kernel_set<basin::kernels::avx2>() noexcept;
