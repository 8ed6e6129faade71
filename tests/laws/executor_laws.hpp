#pragma once

#include <basin/core/executor.hpp>

#include <vector>

#include "support/catch.hpp"

namespace basin::test {
/// What the library relies on in a host's executor: every index once, all done on return, and a
/// task may not start before the call nor run after it.
template <Executor E>
void check_executor_laws(E& executor) {
  for (const Index n : {Index{0}, Index{1}, Index{2}, Index{7}, Index{1000}}) {
    std::vector<int> calls(static_cast<std::size_t>(n));
    const auto task = [&](Index i) { ++calls[static_cast<std::size_t>(i)]; };
    executor(n, task);
    CHECK(calls == std::vector<int>(static_cast<std::size_t>(n), 1));
    executor(n, task);  // an executor is used again and again
    CHECK(calls == std::vector<int>(static_cast<std::size_t>(n), 2));
  }
}

}  // namespace basin::test
