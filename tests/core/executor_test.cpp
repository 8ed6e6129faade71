#include <basin/core/executor.hpp>
#include <basin/core/run_context.hpp>

#include <algorithm>
#include <stop_token>
#include <thread>
#include <vector>

#include "laws/executor_laws.hpp"
#include "support/catch.hpp"

using basin::ExecutorRef;
using basin::Index;
using basin::TaskRef;

namespace {
/// A host's threads at their plainest: the tasks dealt out in turn.
struct TwoThreads {
  void operator()(Index n, TaskRef task) const {
    const auto run = [&](Index first) {
      for (Index i = first; i < n; i += 2) task(i);
    };
    std::thread other(run, 1);
    run(0);
    other.join();
  }
};
/// From last to first, and a call operator that is not const.
struct Backwards {
  int calls = 0;
  void operator()(Index n, TaskRef task) {
    ++calls;
    for (Index i = n; i-- > 0;) task(i);
  }
};
}  // namespace

TEMPLATE_TEST_CASE("Executors obey their laws", "[core][property]", basin::SerialExecutor, TwoThreads, Backwards) {
  TestType executor;
  basin::test::check_executor_laws(executor);
}

TEST_CASE("An ExecutorRef obeys the laws and calls the executor it views", "[core][property]") {
  ExecutorRef serial;
  basin::test::check_executor_laws(serial);
  Backwards backwards;
  const ExecutorRef view(backwards);
  view(3, [](Index) {});
  CHECK(backwards.calls == 1);
  const ExecutorRef copy = view;  // NOLINT: a copy views the same executor
  copy(3, [](Index) {});
  CHECK(backwards.calls == 2);
}

TEST_CASE("TaskRef calls const and mutable callables", "[core][reference]") {
  Index sum = 0;
  const auto add = [&](Index i) { sum += i; };
  auto count = [calls = Index{0}, &sum](Index) mutable { sum += 100 * ++calls; };
  const TaskRef first(add), second(count);
  first(3);
  second(0);
  second(0);
  CHECK(sum == 303);
}

TEST_CASE("for_each_range cuts by n and grain alone", "[core][property]") {
  const Index n = GENERATE(0, 1, 7, 8, 9, 100);
  const Index grain = GENERATE(1, 3, 8, 1000);
  CAPTURE(n, grain);
  std::vector<int> seen(static_cast<std::size_t>(n));
  Index ranges = 0;
  basin::for_each_range(ExecutorRef{}, n, grain, [&](Index begin, Index end) {
    CHECK(begin == ranges * grain);
    CHECK(end > begin);
    CHECK(end - begin <= grain);
    for (Index i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    ++ranges;
  });
  CHECK(ranges == (n + grain - 1) / grain);
  CHECK(seen == std::vector<int>(static_cast<std::size_t>(n), 1));
}

TEST_CASE("RunContext reports progress and stops on request", "[core][property]") {
  basin::RunContext quiet;
  CHECK_NOTHROW(quiet.report({.stage = "init"}));
  CHECK_NOTHROW(quiet.check_stop());

  std::stop_source source;
  std::vector<double> heard;
  basin::RunContext context;
  context.stop = source.get_token();
  context.progress = [&](const basin::Progress& where) { heard.push_back(where.fraction); };
  context.report({.stage = "search", .step = 1, .fraction = 0.5});
  CHECK(heard == std::vector<double>{0.5});
  CHECK_NOTHROW(context.check_stop());
  source.request_stop();
  CHECK_THROWS_AS(context.check_stop(), basin::Cancelled);
}

TEST_CASE("RunContext::for_each runs every task once and says how far it is", "[core][property]") {
  const basin::Index n = GENERATE(0, 1, 16, 500);
  const bool threaded = GENERATE(false, true);
  std::vector<int> seen(static_cast<std::size_t>(n));
  std::vector<double> parts;
  TwoThreads threads;
  basin::RunContext context;
  if (threaded) context.executor = threads;
  const std::thread::id caller = std::this_thread::get_id();
  context.progress = [&](const basin::Progress& where) {
    CHECK(std::this_thread::get_id() == caller);
    CHECK(where.stage.empty());
    parts.push_back(where.part);
  };
  context.for_each(n, [&](basin::Index i) { ++seen[static_cast<std::size_t>(i)]; });
  CHECK(seen == std::vector<int>(static_cast<std::size_t>(n), 1));
  CHECK(std::is_sorted(parts.begin(), parts.end()));
  CHECK(parts.size() == static_cast<std::size_t>(threaded ? (n + 1) / 2 : n));
  CHECK((parts.empty() || (parts.front() > 0 && parts.back() <= 1)));

  std::vector<int> in_ranges(static_cast<std::size_t>(n));
  basin::for_each_range(context, n, 7, [&](basin::Index begin, basin::Index end) {
    for (basin::Index i = begin; i < end; ++i) ++in_ranges[static_cast<std::size_t>(i)];
  });
  CHECK(in_ranges == seen);
}

TEST_CASE("RunContext::for_each leaves out the tasks behind a request to stop", "[core][property]") {
  std::stop_source source;
  basin::RunContext context{.stop = source.get_token()};
  int ran = 0;
  const auto until = [&](basin::Index i) {
    ++ran;
    if (i == 5) source.request_stop();
  };
  CHECK_THROWS_AS(context.for_each(1000, until), basin::Cancelled);
  CHECK(ran == 6);
  CHECK_THROWS_AS(context.for_each(1000, until), basin::Cancelled);
  CHECK(ran == 6);
}
