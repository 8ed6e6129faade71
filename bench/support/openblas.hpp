#pragma once

#include <cstddef>
#include <string>

/// OpenBLAS as a line to read our figures by, where the build found it. It runs one thread.
namespace basin::bench {
/// Which CPU OpenBLAS takes this one for (OPENBLAS_CORETYPE chooses another); empty without OpenBLAS.
[[nodiscard]] std::string openblas_core();
/// Also of the BLAS that other libraries call, where that is OpenBLAS.
void use_one_openblas_thread();
/// y = W x; W: [n_out, n_in]. Precondition: OpenBLAS is there.
void openblas_sgemv(std::ptrdiff_t n_out, std::ptrdiff_t n_in, const float* w, const float* x, float* y);
/// Y = X W^T; X: [batch, n_in], Y: [batch, n_out]. Precondition: OpenBLAS is there.
void openblas_sgemm(std::ptrdiff_t n_out, std::ptrdiff_t n_in, std::ptrdiff_t batch, const float* w, const float* x, float* y);

}  // namespace basin::bench
