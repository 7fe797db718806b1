// What an exchange has while its answer is streamed: the head until its turn, pieces that came
// early, the coder, and what feeds or fills the stream.
//
// Loop thread only; owned by the exchange. The job of a lane shares the coder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/charge.h"
#include "base/promised.h"
#include "coding/gzip.h"
#include "http/message/content.h"
#include "http/message/response.h"
#include "net/loop/reactor.h"
#include "net/loop/timer_wheel.h"
#include "server/fanout/event_group.h"
#include "server/message/commands.h"

namespace httpuv::server {

class HttpSession;

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
  Silence(HttpSession& http, std::uint32_t sequence, Filler&& filler);

  [[nodiscard]] const std::string& filler() const { return filler_.bytes; }
  void broken(net::Reactor& loop);
  // Whether the silence has lasted long enough; if not, goes on watching.
  bool over(net::Reactor& loop);

 private:
  void watch(net::Reactor& loop) { deadline_.set(loop.timers(), since_ + filler_.after_ms); }
  void on_deadline(net::Deadline&) noexcept override;

  HttpSession& http_;
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
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  void answer(bool room);

 private:
  std::vector<base::Promised<bool>> waiting_;
};

// What feeds a stream of events with topics: its request until it begins, its place among the
// subscribers from then on.
class FeedPart final : public EventOutput {
 public:
  FeedPart(HttpSession& http, std::uint32_t sequence, std::unique_ptr<FeedRequest> request);
  ~FeedPart() override;

  void begin(EventGroups& groups);
  void drained();

  void write(const std::shared_ptr<const EventText>& text) override;
  [[nodiscard]] std::size_t queued() const override;
  void cut() override;
  [[nodiscard]] bool closing() const override;

 private:
  HttpSession& http_;
  const std::uint32_t sequence_;
  std::unique_ptr<FeedRequest> request_;
  std::unique_ptr<EventFeed> feed_{};
};

struct Streamed {
  http::ResponseHead head{};
  std::optional<std::uint64_t> length{};
  http::Framing framing = http::Framing::kNoBody;
  bool bodiless = false;
  std::uint64_t total = 0;         // bytes of body handed to the stream
  std::uint64_t acknowledged = 0;  // bytes to acknowledge when they are taken; 0: none
  std::vector<std::variant<std::string, FileBody>> early{};  // pieces from before its turn
  std::string trailers{};
  Rooms rooms{};
  std::size_t early_bytes = 0;  // in memory
  bool early_acknowledge = false;
  bool ended = false;                  // by the application
  std::unique_ptr<Silence> silence{};  // null: it has no filler
  std::unique_ptr<FeedPart> feed{};    // null: the application makes its pieces
  std::shared_ptr<Coder> coder{};      // null: the body is sent as it is
  std::string uncoded{};               // what the coder has not been given yet
  base::Charge charge{};               // for what is kept of it here

  static constexpr std::size_t kEarlyCost = 64;  // of a piece, beside its bytes

  [[nodiscard]] bool coding() const { return coder != nullptr && coder->busy; }
  void count() { charge.resize(early_bytes + early.size() * kEarlyCost + uncoded.size()); }
  // A piece that comes before its turn.
  void keep(std::string_view bytes, bool acknowledge);
};

}  // namespace httpuv::server
