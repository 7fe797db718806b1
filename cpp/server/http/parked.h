// The state of an exchange that cannot be answered yet: a static request until its file is
// resolved, an answer until the answers before it were sent. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coding/gzip.h"
#include "files/answer/resolution.h"
#include "http/request.h"
#include "http/response.h"
#include "net/loop/reactor.h"
#include "net/loop/timer_wheel.h"
#include "server/fanout/event_group.h"
#include "server/http/http_session.h"
#include "server/message/message.h"

namespace httpuv::server {

// Codes a body that comes in pieces; shared with the job while there is one.
struct Coder {
  coding::GzipStream gzip{};
  bool busy = false;  // the rest is the job's
  std::string plain{};
  std::optional<coding::GzipSlices> slices{};  // of `plain`
  std::string coded{};
  bool failed = false;
};

// Watches a stream for silence, to send its filler.
class Silence final : private net::DeadlineOwner {
 public:
  Silence(HttpSession& session, std::uint32_t sequence, Filler&& filler)
      : session_(session), sequence_(sequence), filler_(std::move(filler)) {}

  [[nodiscard]] const std::string& filler() const { return filler_.bytes; }
  void broken(net::Reactor& loop) {
    since_ = loop.now_ms();
    if (!deadline_.armed()) watch(loop);
  }
  // Whether the silence has lasted long enough; if not, goes on watching.
  bool over(net::Reactor& loop) {
    if (loop.now_ms() - since_ >= filler_.after_ms) return true;
    watch(loop);
    return false;
  }

 private:
  void watch(net::Reactor& loop) { deadline_.set(loop.timers(), since_ + filler_.after_ms); }
  void on_deadline(net::Deadline&) noexcept override {
    session_.connection_.guarded([this] { session_.fill(sequence_); });
  }

  HttpSession& session_;
  const std::uint32_t sequence_;
  const Filler filler_;
  std::int64_t since_ = 0;
  net::Deadline deadline_{this};
};

// Threads that wait until the kernel has a stream, or it is over.
class Rooms {
 public:
  Rooms() = default;
  Rooms(Rooms&&) = default;
  Rooms& operator=(Rooms&&) = default;
  ~Rooms() { answer(false); }
  void add(base::Promised<bool>&& promise) { waiting_.push_back(std::move(promise)); }
  void answer(bool room) {
    for (base::Promised<bool>& each : std::exchange(waiting_, {})) each.set_value(room);
  }

 private:
  std::vector<base::Promised<bool>> waiting_;
};

// What feeds a stream of events with topics: its request until it begins, its place among the
// subscribers from then on.
class FeedPart final : public EventOutput {
 public:
  FeedPart(HttpSession& of, std::uint32_t number, std::unique_ptr<FeedRequest> what)
      : session(of), sequence(number), request(std::move(what)) {}
  ~FeedPart() override;

  void write(const std::shared_ptr<const EventText>& text) override;
  [[nodiscard]] std::size_t queued() const override;
  void cut() override;
  [[nodiscard]] bool closing() const override;

  HttpSession& session;
  const std::uint32_t sequence;
  std::unique_ptr<FeedRequest> request;
  std::unique_ptr<EventFeed> feed{};
};

// A handshake that waits for the application's decision.
struct Asked {
  websocket::Handshake handshake;
  std::int64_t due = 0;
};

// An answer with a body in pieces. Pieces that come before its turn are kept.
struct Streamed {
  http::ResponseHead head;
  std::optional<std::uint64_t> length;
  http::Framing framing = http::Framing::kNoBody;
  bool bodiless = false;
  std::uint64_t total = 0;         // bytes of body handed to the stream
  std::uint64_t acknowledged = 0;  // bytes whose acknowledgement was asked for; 0: none is due
  std::vector<std::variant<std::string, FileBody>> early;  // pieces from before its turn
  std::string trailers;
  Rooms rooms;
  std::size_t early_bytes = 0;  // in memory
  bool early_acknowledge = false;
  bool ended = false;
  std::unique_ptr<Silence> silence;  // null: it has no filler
  std::unique_ptr<FeedPart> feed{};  // null: the application makes its pieces
  std::shared_ptr<Coder> coder;      // null: the body is sent as it is
  std::string uncoded;               // what the coder has not been given yet
  base::Charge charge;               // for what is kept of it here

  static constexpr std::size_t kEarlyCost = 64;  // of a piece, beside its bytes

  [[nodiscard]] bool coding() const { return coder != nullptr && coder->busy; }
  void count() { charge.resize(early_bytes + early.size() * kEarlyCost + uncoded.size()); }
};

struct Parked {
  http::RequestHead request;  // static only
  RequestBody request_body;   // static only, where the application may still get it
  std::optional<files::Resolution> resolution;
  std::optional<http::ResponseHead> head;
  ResponseBody body;
  base::Charge charge;  // for the answer
  std::optional<Streamed> stream;
};

}  // namespace httpuv::server
