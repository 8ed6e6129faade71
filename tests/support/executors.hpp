#pragma once

#include <basin/core/executor.hpp>

#include <thread>
#include <vector>

namespace basin::test {
/// `count` threads that deal the tasks out in turn, each from last to first: no order to lean on.
struct Threads {
  Index count = 2;
  void operator()(Index n, TaskRef task) const {
    const auto run = [&](Index first) {
      for (Index i = n - 1 - first; i >= 0; i -= count) task(i);
    };
    std::vector<std::thread> others;
    for (Index first = 1; first < count; ++first) others.emplace_back(run, first);
    run(0);
    for (std::thread& other : others) other.join();
  }
};
static_assert(Executor<Threads>);

}  // namespace basin::test
