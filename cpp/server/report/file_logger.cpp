#include "server/report/file_logger.h"

#include <cstring>
#include <utility>

#include "server/connection/connection.h"

namespace httpuv::server {

namespace {

// Lines are handed over when there are so many bytes, or after so many milliseconds: waking a
// thread for each answer would cost more than the answer.
constexpr std::size_t kBatch = std::size_t{64} * 1024;
constexpr std::int64_t kLatestMs = 100;
constexpr std::int64_t kTellEveryMs = 10'000;
constexpr std::chrono::milliseconds kLastWrites{1000};

}  // namespace

FileLogger::FileLogger(Context& context) : context_(context) {
  const auto& log = context.settings.file_log;
  if (log == nullptr) return;
  format_ = log->format;
  writer_ = log->writer.get();
  context.observers.push_back(this);
  context.observes_text = true;
}

int FileLogger::start() {
  return writer_ == nullptr ? 0 : writer_->start();
}

void FileLogger::end() {
  if (writer_ == nullptr) return;
  write();
  writer_->stop(kLastWrites);
}

void FileLogger::exchange_ended(Observed& exchange, const net::Peer& client) {
  format_->append(lines_, exchange, client, std::chrono::system_clock::now());
  ++count_;
  if (lines_.size() >= kBatch) {
    hand_over();
  } else if (!due_.armed()) {
    due_.set(context_.loop.timers(), context_.loop.now_ms() + kLatestMs);
  }
}

void FileLogger::write() {
  if (lines_.empty()) return;
  const std::size_t count = std::exchange(count_, 0);
  if (!writer_->add(std::exchange(lines_, {}), count)) context_.counters.log_dropped.add(count);
}

void FileLogger::hand_over() {
  due_.clear();
  write();
  lines_.reserve(kBatch + 1024);
  const std::int64_t now = context_.loop.now_ms();
  if (told_ != 0 && now - told_ < kTellEveryMs) return;
  const LogWriter::Problem problem = writer_->problem();
  if (problem.error == 0 && problem.dropped == 0) return;
  told_ = now;
  const std::string where = writer_->path().empty() ? "standard error" : writer_->path();
  std::string text = "the access log: ";
  if (problem.error != 0) {
    text.append(where).append(" cannot be written: ").append(std::strerror(problem.error));
  } else {
    text.append(std::to_string(problem.dropped))
        .append(" answers are not in it, because ")
        .append(where)
        .append(" does not take them in time");
  }
  context_.events.emplace_back(NoticeEvent{NoticeLevel::kWarning, std::move(text)});
}

}  // namespace httpuv::server
