#include "server/observe/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/descriptor.h"
#include "net/lanes/thread.h"

namespace httpuv::server {

namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr mode_t kMode = 0640;

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, kMode);
}

}  // namespace

// Shared by the writer's thread and its owner.
struct LogWriter::State {
  std::string path;
  base::Descriptor file;  // the thread's, once that runs

  std::mutex mutex;  // for the rest
  std::condition_variable changed;
  std::string waiting;
  std::size_t writing = 0;  // bytes
  std::uint64_t dropped = 0;
  int error = 0;
  bool ending = false;
  bool ended = false;

  void run();
  void look();
  int write(std::string_view bytes) const;
};

void LogWriter::State::run() {
  auto looked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return ending || !waiting.empty(); });
    if (waiting.empty()) break;
    const std::string lines = std::exchange(waiting, {});
    writing = lines.size();
    lock.unlock();
    const auto now = std::chrono::steady_clock::now();
    if (now - looked >= kLookEvery) {
      looked = now;
      look();
    }
    const int failed = write(lines);
    lock.lock();
    writing = 0;
    if (failed != 0) error = failed;
  }
  ended = true;
  changed.notify_all();
}

// Whether the name still leads to the file that is open.
void LogWriter::State::look() {
  if (path.empty()) return;
  struct stat named {};
  struct stat open {};
  if (fstat(file.get(), &open) == 0 && stat(path.c_str(), &named) == 0 &&
      named.st_dev == open.st_dev && named.st_ino == open.st_ino) {
    return;
  }
  base::Descriptor again(open_file(path));
  if (again.get() >= 0) file = std::move(again);
}

int LogWriter::State::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // standard error may be another program's, and not block
      pollfd wait{file.get(), POLLOUT, 0};
      poll(&wait, 1, 1000);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

std::unique_ptr<LogWriter> LogWriter::open(const std::string& path, int* error) {
  auto state = std::make_shared<State>();
  state->path = path;
  state->file =
      base::Descriptor(path.empty() ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : open_file(path));
  if (state->file.get() < 0) {
    *error = errno;
    return nullptr;
  }
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(state), path));
}

LogWriter::~LogWriter() {
  if (users_ == 0) return;
  users_ = 1;
  stop(std::chrono::milliseconds(0));
}

int LogWriter::start() {
  if (users_ > 0) {
    ++users_;
    return 0;
  }
  pthread_t thread{};
  const int error = net::start_thread(&thread, "httpuv log", [state = state_] { state->run(); });
  if (error != 0) return error;
  pthread_detach(thread);
  users_ = 1;
  return 0;
}

bool LogWriter::add(std::string&& lines, std::size_t count) {
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.size() + state_->writing + lines.size() > kMost) {
    state_->dropped += count;
    return false;
  }
  const bool first = state_->waiting.empty();
  if (first) {
    state_->waiting = std::move(lines);
    state_->changed.notify_one();
  } else {
    state_->waiting.append(lines);
  }
  return true;
}

void LogWriter::stop(std::chrono::milliseconds most) {
  std::unique_lock lock(state_->mutex);
  if (users_ == 0 || --users_ > 0) return;
  state_->ending = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, most, [this] { return state_->ended; });
}

LogWriter::Problem LogWriter::problem() {
  const std::lock_guard lock(state_->mutex);
  return {std::exchange(state_->error, 0), std::exchange(state_->dropped, 0)};
}

}  // namespace httpuv::server
