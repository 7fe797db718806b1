// Writes lines to a file or a descriptor on its own thread, so that a slow disk or pipe delays
// nothing else.
//
// What: takes lines, writes them in order; opens the file again when its name leads elsewhere, as
//   after logrotate(8). What waits is bounded; lines beyond it are dropped and counted.
// Thread: open() and start() on any, before the server runs; add() on the loop thread; stop() on
// any. Owner: the server. A writer that does not end in time is left behind with what it touches.
// Failure: open() answers errno, start() a libuv error; what fails later is told by problem().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace httpuv::server {

class LogWriter {
 public:
  static constexpr std::size_t kMost = std::size_t{8} * 1024 * 1024;

  // `path` empty: standard error. Null and *error.
  static std::unique_ptr<LogWriter> open(const std::string& path, int* error);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Once for each loop that adds lines, before these run; each calls stop().
  int start();
  // Whole lines, `count` of them. False: they are dropped.
  bool add(std::string&& lines, std::size_t count);
  // The last one ends it: writes what is there, but does not wait for longer than that.
  void stop(std::chrono::milliseconds most);

  // The failures since the last call: an errno, and the number of dropped lines.
  struct Problem {
    int error = 0;
    std::uint64_t dropped = 0;
  };
  Problem problem();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct State;
  LogWriter(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)) {}

  const std::shared_ptr<State> state_;
  const std::string path_;
  int users_ = 0;  // by the mutex of the state, once the loops run
};

}  // namespace httpuv::server
