// error: Executor
// error: executor(n, task)
#include <basin/core/executor.hpp>

struct Threads {
#ifdef GOOD
  void operator()(basin::Index, basin::TaskRef) const {}
#else
  void run(basin::Index, basin::TaskRef) const {}  // an executor is called, not run
#endif
};

int main() {
  Threads threads;
  basin::ExecutorRef executor(threads);
  static_assert(basin::Executor<Threads>);
  executor(1, [](basin::Index) {});
}
