#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace basin::test {
/// How a process ended: its exit status, or 128 and the signal that killed it; and all that it printed.
struct Ended {
  int status = 0;
  std::string output;
};

/// A program that runs; killed when this goes away.
class Process {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  /// @param log  file for stdout and stderr
  Process(const std::vector<std::string>& command, std::filesystem::path log, const Environment& environment = {}) : log_(std::move(log)) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    id_ = ::fork();
    if (id_ != 0) return;
    const int output = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ <= 0) return;
    send(SIGKILL);
    static_cast<void>(wait());
  }

  void send(int signal) const { ::kill(id_, signal); }
  /// Whether it ended by itself within this time.
  [[nodiscard]] bool ends_within(std::chrono::microseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!has_ended_) {
      has_ended_ = ::waitpid(id_, &state_, WNOHANG) == id_;
      if (has_ended_ || std::chrono::steady_clock::now() >= end) break;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return has_ended_;
  }
  [[nodiscard]] Ended wait() {
    if (!has_ended_) ::waitpid(id_, &state_, 0);
    id_ = 0;
    std::ifstream log(log_, std::ios::binary);
    return {WIFEXITED(state_) ? WEXITSTATUS(state_) : 128 + WTERMSIG(state_), {std::istreambuf_iterator<char>(log), {}}};
  }

 private:
  std::filesystem::path log_;
  pid_t id_ = 0;
  int state_ = 0;
  bool has_ended_ = false;
};

}  // namespace basin::test
