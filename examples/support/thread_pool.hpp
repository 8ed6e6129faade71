#pragma once

#include <basin/core/executor.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace support {
using basin::Index;

/// Threads that share out the indices of one job at a time; a model of basin::Executor.
///
/// An atomic counter hands out one index after the other, so uneven tasks balance. The calling
/// thread takes part. A call made while a job runs (from inside a task, or from a second thread)
/// runs in its own thread. The first exception of a task is rethrown by the call.
class ThreadPool {
 public:
  /// @param threads  how many threads work, the caller's included; 0 for one per processor.
  explicit ThreadPool(int threads = 0) {
    if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  [[nodiscard]] int num_threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  void operator()(Index n, basin::TaskRef task) {
    if (n <= 1 || workers_.empty() || busy_.exchange(true)) {
      for (Index i = 0; i < n; ++i) task(i);
      return;
    }
    Job job{task, n};
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++job_number_;
    }
    wake_.notify_all();
    work(job);
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // a worker that wakes up from here on finds nothing to join
    done_.wait(lock, [&] { return job.helpers == 0; });
    lock.unlock();
    busy_ = false;
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  struct Job {
    basin::TaskRef task;
    Index n;
    std::atomic<Index> next{0};
    int helpers = 0;           // workers inside this job; guarded by mutex_
    std::exception_ptr error{};  // guarded by mutex_
  };

  void work(Job& job) {
    for (Index i = job.next++; i < job.n; i = job.next++) {
      try {
        job.task(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!job.error) job.error = std::current_exception();
      }
    }
  }

  void serve() {
    std::unique_lock lock(mutex_);
    for (unsigned long seen = 0;;) {
      wake_.wait(lock, [&] { return closing_ || (job_ != nullptr && job_number_ != seen); });
      if (closing_) return;
      seen = job_number_;
      Job& job = *job_;
      ++job.helpers;
      lock.unlock();
      work(job);
      lock.lock();
      if (--job.helpers == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  unsigned long job_number_ = 0;
  bool closing_ = false;
  std::atomic<bool> busy_{false};
};
static_assert(basin::Executor<ThreadPool>);

}  // namespace support
