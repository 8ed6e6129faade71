#pragma once

#include <basin/core/types.hpp>

#include <algorithm>
#include <concepts>
#include <memory>
#include <type_traits>

namespace basin {
/// A non-owning view of a callable `void(Index)`; valid while the callable lives.
class TaskRef {
 public:
  template <std::invocable<Index> Task>
    requires(!std::same_as<std::remove_cvref_t<Task>, TaskRef>)
  TaskRef(Task&& task) noexcept
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(task)))),
        call_([](void* object, Index i) { (*static_cast<std::remove_reference_t<Task>*>(object))(i); }) {}
  void operator()(Index i) const { call_(object_, i); }

 private:
  void* object_;
  void (*call_)(void*, Index);
};

/// The host's threads: executor(n, task) calls task(i) once for every i in [0, n), in any order and
/// on any threads, and returns when all calls have. The library's tasks do not throw, and give the
/// same result in any order. Laws: tests/laws/executor_laws.hpp.
template <class E>
concept Executor = requires(E& executor, Index n, TaskRef task) { executor(n, task); };

/// Runs everything in the calling thread.
struct SerialExecutor {
  void operator()(Index n, TaskRef task) const {
    for (Index i = 0; i < n; ++i) task(i);
  }
};
static_assert(Executor<SerialExecutor>);

/// A non-owning view of any Executor.
class ExecutorRef {
 public:
  ExecutorRef() noexcept
      : object_(nullptr), call_([](void*, Index n, TaskRef task) { SerialExecutor{}(n, task); }) {}
  template <Executor E>
    requires(!std::same_as<std::remove_cvref_t<E>, ExecutorRef>)
  ExecutorRef(E& executor) noexcept
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(executor)))),
        call_([](void* object, Index n, TaskRef task) { (*static_cast<E*>(object))(n, task); }) {}
  void operator()(Index n, TaskRef task) const { call_(object_, n, task); }

 private:
  void* object_;
  void (*call_)(void*, Index, TaskRef);
};

/// Calls body(begin, end) for consecutive ranges of `grain` items. Ranges depend on n and grain
/// alone, never on the number of threads: that is what makes reductions over them reproducible.
template <std::invocable<Index, Index> Body>
void for_each_range(const ExecutorRef& executor, Index n, Index grain, Body&& body) {
  const Index ranges = (n + grain - 1) / grain;
  executor(ranges, [&](Index r) { body(r * grain, std::min(n, (r + 1) * grain)); });
}

}  // namespace basin
