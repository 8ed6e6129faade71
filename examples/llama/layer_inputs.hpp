#pragma once

#include "../support/aligned_buffer.hpp"
#include "input_path.hpp"

#include <basin/core/executor.hpp>
#include <basin/core/types.hpp>

namespace llama {
/// What the layers of one stage read. Each asks for the inputs behind its own path; as long as the paths are equal,
/// these are rotated and rounded once for all.
///
///     LayerInputs inputs(x, executor);
///     for (const Linear& layer : {k, v, q}) layer.apply(inputs, y);
class LayerInputs {
 public:
  /// @param x  [n, n_in]; outlives this, and so does what the executor refers to.
  LayerInputs(const basin::ConstMatrixRef<float>& x, const basin::ExecutorRef& executor) : given_(x), executor_(executor) {}

  [[nodiscard]] const basin::ExecutorRef& executor() const noexcept { return executor_; }
  /// The inputs behind the path in fp32, [n, n_in]; valid until those of another path are asked for.
  [[nodiscard]] basin::ConstMatrixRef<float> values(const InputPath& path) {
    if (!path.changes_inputs()) return given_;
    prepare(path);
    if (path.rounds() && !decoded_) {
      integers_.decode(values_, executor_);
      decoded_ = true;
    }
    return values_;
  }
  /// The same inputs as integers, of a path that rounds; valid as long.
  [[nodiscard]] const IntegerInputs& integers(const InputPath& path) {
    prepare(path);
    return integers_;
  }

 private:
  void prepare(const InputPath& path) {
    if (path == prepared_) return;
    if (path.rotates()) {
      values_ = given_;
      path.rotate(values_, executor_);
    }
    if (path.rounds()) integers_ = path.quantize(path.rotates() ? basin::ConstMatrixRef<float>(values_) : given_, memory_, executor_);
    decoded_ = false;
    prepared_ = path;
  }

  basin::ConstMatrixRef<float> given_;
  basin::ExecutorRef executor_;
  InputPath prepared_;           // what the members below are for
  basin::Matrix<float> values_;  // rotated, and at last rounded
  bool decoded_ = false;         // values_ are those of integers_
  IntegerInputs integers_;
  support::AlignedBuffer memory_;
};

}  // namespace llama
