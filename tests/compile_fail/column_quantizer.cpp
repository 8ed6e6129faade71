// error: ColumnQuantizer
#include <basin/search/error_feedback.hpp>

using Columns = basin::ConstColumnsRef<float>;
#ifdef GOOD
using Quantized = basin::ColumnsRef<float>;
#else
using Quantized = basin::ColumnsRef<double>;
#endif

int main() {
  const basin::Matrix<double> h = basin::Matrix<double>::Identity(2, 2);
  basin::error_feedback<float>(basin::Matrix<float>::Zero(1, 2), basin::FeedbackFactor<float>(h),
                               [](basin::Index, basin::Index, Columns, Quantized) {});
}
