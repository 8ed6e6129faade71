#include <basin/metric/hessian_mahalanobis.hpp>

int main() {
  const basin::Matrix<float> h = basin::Matrix<float>::Identity(4, 4);
  const basin::HessianMahalanobis<float> metric(h);
  return metric.dim() == 4 ? 0 : 1;
}
