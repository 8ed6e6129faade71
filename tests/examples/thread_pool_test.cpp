#include "support/thread_pool.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "laws/executor_laws.hpp"
#include "support/catch.hpp"

using basin::Index;
using support::ThreadPool;

TEST_CASE("ThreadPool runs every index once", "[examples][reference]") {
  const int threads = GENERATE(1, 2, 3, 8);
  const int n = GENERATE(0, 1, 2, 7, 1000);
  CAPTURE(threads, n);
  ThreadPool pool(threads);
  CHECK(pool.num_threads() == threads);
  std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
  for (int round = 0; round < 20; ++round)  // a late worker must not join the next job
    pool(n, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
  for (const auto& count : calls) CHECK(count == 20);
}

TEST_CASE("ThreadPool keeps the executor laws", "[examples][property]") {
  ThreadPool pool(GENERATE(0, 1, 4));
  basin::test::check_executor_laws(pool);
}

TEST_CASE("A ThreadPool can be called from inside a task", "[examples][property]") {
  const int inner = GENERATE(0, 1, 5);
  ThreadPool pool(3);
  std::atomic<int> calls{0};
  pool(4, [&](Index) { pool(inner, [&](Index) { ++calls; }); });
  CHECK(calls == 4 * inner);
}

TEST_CASE("A ThreadPool can be called from several threads", "[examples][property]") {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  {
    std::vector<std::jthread> callers;
    for (int c = 0; c < 4; ++c)
      callers.emplace_back([&] { for (int i = 0; i < 50; ++i) pool(10, [&](Index) { ++calls; }); });
  }
  CHECK(calls == 4 * 50 * 10);
}

TEST_CASE("ThreadPool rethrows a task's exception and goes on working", "[examples][bad-input]") {
  ThreadPool pool(GENERATE(1, 3));
  CHECK_THROWS_AS(pool(100, [](Index i) { if (i == 42) throw std::runtime_error("42"); }), std::runtime_error);
  std::atomic<int> calls{0};
  pool(10, [&](Index) { ++calls; });
  CHECK(calls == 10);
}
