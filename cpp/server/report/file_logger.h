// The access log that is written without Python: formats a line for each exchange and hands batches
// of lines to a writer.
//
// Loop thread only; owned by what owns the Context. Failures of the writer are reported to the
// application's log, at most once in ten seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "net/loop/timer_wheel.h"
#include "server/connection/context.h"
#include "server/observe/file_log.h"
#include "server/observe/observer.h"

namespace httpuv::server {

class FileLogger final : public ExchangeObserver, private net::DeadlineOwner {
 public:
  // Observes the exchanges of `context` if its settings ask for that.
  explicit FileLogger(Context& context);

  // 0 or a libuv error.
  int start();
  // The end of the log: writes the remaining lines, and waits a moment for that. After the loop
  // thread.
  void end();
  void stop() { due_.clear(); }

  void exchange_ended(Observed& exchange, const net::Peer& client) override;

 private:
  void write();
  void hand_over();
  void on_deadline(net::Deadline&) noexcept override {
    context_.guarded([this] { hand_over(); });
  }

  Context& context_;
  std::optional<LogFormat> format_;  // its own: it remembers the second
  LogWriter* writer_ = nullptr;
  std::string lines_;
  std::size_t count_ = 0;
  std::int64_t told_ = 0;  // when of a problem
  net::Deadline due_{this};
};

}  // namespace httpuv::server
