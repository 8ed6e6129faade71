#include "support/openblas.hpp"

#if defined(BASIN_BENCH_OPENBLAS)
#include <cblas.h>

namespace basin::bench {
namespace {
blasint count(std::ptrdiff_t n) {
  return static_cast<blasint>(n);
}
}  // namespace

std::string openblas_core() {
  return openblas_get_corename();
}
void use_one_openblas_thread() {
  openblas_set_num_threads(1);
}
void openblas_sgemv(std::ptrdiff_t n_out, std::ptrdiff_t n_in, const float* w, const float* x, float* y) {
  use_one_openblas_thread();
  cblas_sgemv(CblasRowMajor, CblasNoTrans, count(n_out), count(n_in), 1.0f, w, count(n_in), x, 1, 0.0f, y, 1);
}
void openblas_sgemm(std::ptrdiff_t n_out, std::ptrdiff_t n_in, std::ptrdiff_t batch, const float* w, const float* x, float* y) {
  use_one_openblas_thread();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count(batch), count(n_out), count(n_in), 1.0f, x, count(n_in), w,
              count(n_in), 0.0f, y, count(n_out));
}
}  // namespace basin::bench

#else

namespace basin::bench {
std::string openblas_core() {
  return {};
}
void use_one_openblas_thread() {}
void openblas_sgemv(std::ptrdiff_t, std::ptrdiff_t, const float*, const float*, float*) {}
void openblas_sgemm(std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, const float*, const float*, float*) {}
}  // namespace basin::bench

#endif
