// One connection of a server, whole but for the socket, the clock, the pool's threads and Python:
// these are played here, so that a test says what happens when. After every step what was sent is
// read back and checked: order, framing, nothing behind an end. Throws std::logic_error when a
// promise is broken.
//
//   World world;
//   world.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//   world.respond(world.asked().at(0), 200, "hello");
//   CHECK(world.answers().at(0).body == "hello");
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../limits.h"
#include "answer_reader.h"
#include "net/loop/reactor.h"
#include "net/stream/transport.h"
#include "server/connection/connection.h"
#include "server/connection/context.h"
#include "server/fanout/event_group.h"
#include "server/fanout/publications.h"
#include "server/http/routing/static_files.h"
#include "server/observe/exchange_meter.h"
#include "server/report/access_log.h"

namespace httpuv::server::test {

// The loop: time stands still until advance(), jobs wait for work_off().
class FakeReactor final : public net::Reactor, private net::WheelAlarm {
 public:
  [[nodiscard]] std::int64_t now_ms() const override { return now_; }
  net::TimerWheel& timers() override { return wheel_; }
  void work_on_disk(std::uint64_t device, std::function<void()> job, Done done) override;
  void compute(std::uint64_t lane, std::function<bool()> slice, Done done) override;
  void run_next_turn(net::TurnTask& task) override { turns_.append(task); }

  void advance(std::int64_t ms);
  bool work_off();  // one job; false: there is none
  void run_turns() { turns_.run(); }

 private:
  void set_alarm(std::int64_t at_ms) override { alarm_ = at_ms; }

  struct Job {
    std::function<bool()> job;  // true: there is more to do
    Done done;
  };
  std::int64_t now_ = 1'000'000;
  std::optional<std::int64_t> alarm_;
  net::TimerWheel wheel_{this};
  net::TurnQueue turns_;
  std::deque<Job> jobs_;
};

// The other end of the connection, which outlives ours.
struct FakePeer {
  std::string sent;     // what it has taken
  std::string waiting;  // what it has not
  std::size_t room = SIZE_MAX;
  std::size_t writes = 0;  // calls of the transport that write
  std::string inbox;       // what it has said and the server has not read
  bool fin = false;        // nothing follows that
  bool gone = false;       // it has reset the connection

  bool shut_down = false;  // our FIN
  bool closed = false;
  bool was_reset = false;
  bool failed = false;  // a write was refused
  [[nodiscard]] bool ended() const { return closed || (shut_down && waiting.empty()); }
  [[nodiscard]] bool clean() const { return ended() && !was_reset && !gone && !failed; }
};

class FakeTransport final : public net::Transport {
 public:
  explicit FakeTransport(std::shared_ptr<FakePeer> peer) : peer_(std::move(peer)) {}
  void set_handler(net::StreamHandler* handler) { handler_ = handler; }
  void charge_to(base::Ledger&, base::Ledger::Kind) override {}  // the peer's memory is not ours

  void start_reading() override { reading_ = !peer_->closed && !eof_; }
  void stop_reading() override { reading_ = false; }
  [[nodiscard]] bool reading() const override { return reading_; }
  int write(std::string_view a, std::string_view b) override;
  int write_owned(std::string_view head, std::string&& body) override;
  int write_shared(std::string_view head, std::string_view body,
                   const std::shared_ptr<const void>& owner, std::size_t held = 0) override;
  int send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                std::uint64_t length) override;
  [[nodiscard]] std::size_t queued() const override { return peer_->waiting.size(); }
  [[nodiscard]] bool busy() const override { return !peer_->waiting.empty(); }
  [[nodiscard]] std::uint64_t bytes_written() const override { return peer_->sent.size(); }
  void shutdown() override { peer_->shut_down = true; }
  void close() override;
  void reset() override;
  [[nodiscard]] bool ended() const override { return eof_; }
  [[nodiscard]] bool peer_gone() const override { return peer_->gone; }
  const net::Peer& peer() override { return address_; }

  // Hands over some of what the peer has said, or its end; false: nothing.
  bool deliver(std::size_t most);
  void take(std::size_t bytes);                     // the peer reads so much more
  void finish_closing() { handler_->on_closed(); }  // destroys this

 private:
  void move_on();

  std::shared_ptr<FakePeer> peer_;
  net::StreamHandler* handler_ = nullptr;
  net::Peer address_{"192.0.2.1", 1234, AF_INET};
  bool reading_ = false;
  bool eof_ = false;
};

// A request that the application was asked about.
struct Asked {
  ExchangeId id;
  bool is_head = false;
  bool headers_only = false;
  bool in_pieces = false;  // its body comes while it is answered
  bool waits = false;      // it may not be answered before its body has come
  bool websocket = false;  // a handshake that waits for its word
  bool streaming = false;  // its answer has begun
  std::string method;
  std::string target;
  std::string client;  // its address
  std::string host;
  bool https = false;
  std::string body;
  std::size_t pieces = 0;  // bytes that came in pieces and were not said to be used
  bool body_ended = false;
  EnvelopePtr envelope;
};

class World {
 public:
  explicit World(Settings settings = Settings(usual_limits()));
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- the peer ---
  void receive(std::string_view bytes, std::size_t piece = SIZE_MAX);
  void half_close();
  void vanish();                     // resets the connection
  void set_room(std::size_t bytes);  // it reads so much of what is sent, and no more for now
  void take(std::size_t bytes);
  void read_all() { take(SIZE_MAX / 2); }

  // --- time and threads ---
  void advance(std::int64_t ms);
  void work_off();  // every job, and what it leads to

  // --- the application ---
  [[nodiscard]] std::deque<Asked>& asked() { return asked_; }
  // Each takes the exchange from asked() when it is over.
  void respond(Asked& request, int status, std::string body,
               const std::vector<std::pair<std::string, std::string>>& fields = {});
  void start_stream(Asked& request, int status, std::optional<std::uint64_t> length = {});
  // Its head and a piece that is to be acknowledged, in one turn.
  void start_stream_with(Asked& request, int status, std::string_view piece);
  void stream(Asked& request, std::string_view bytes, bool acknowledge = false);
  void end_stream(Asked& request);
  void cut(Asked& request);
  void go_on(Asked& request);  // Continue
  void consume(Asked& request);
  void accept(Asked& request);
  void command(Command&& command);
  [[nodiscard]] bool is_present(const Asked& request);
  void drain();
  void close();  // the server ends at once

  // --- what became of it ---
  [[nodiscard]] const std::vector<ReadAnswer>& answers() const { return reader_.answers(); }
  [[nodiscard]] const std::vector<ReadFrame>& frames() const { return reader_.frames(); }
  [[nodiscard]] const FakePeer& peer() const { return *peer_; }
  [[nodiscard]] bool open() const { return transport_ != nullptr; }
  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] Counters& counters() { return counters_; }
  [[nodiscard]] const Budget& budget() const { return *budget_; }
  [[nodiscard]] MetricsMemory& metrics() { return metrics_; }
  [[nodiscard]] const std::vector<std::string>& told() const { return told_; }  // kinds of events
  [[nodiscard]] std::size_t unread() const { return unread_; }  // of WebSocket messages
  [[nodiscard]] bool websocket_open() const { return websocket_open_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] const std::vector<AccessRecord>& records() const {
    return context_.answered.records();
  }
  void consume_messages();

 private:
  // What was answered to an exchange, for the comparison with what was sent.
  struct Expected {
    std::string body;
    bool ended = false;  // the application has given all of it
  };

  void settle();
  void turn();
  void hear(Event&& event);
  void check();
  void check_answers();
  [[nodiscard]] http::ResponseHead head_for(const Asked& request, int status) const;
  void forget(ExchangeId id);

  Settings settings_;
  MetricsMemory metrics_;
  ExchangeMeter meter_{metrics_.own()};
  Counters& counters_ = metrics_.own().counters;
  const std::shared_ptr<Budget> budget_ = std::make_shared<Budget>(Budget::Bounds{
      settings_.limits.memory_bytes, settings_.limits.disk_bytes.value_or(UINT64_MAX),
      settings_.limits.queue_bytes});
  FakeReactor reactor_;
  Context context_;
  StaticFiles files_;
  AccessLog access_log_{context_};
  Publications publications_;
  EventGroups event_groups_;
  std::shared_ptr<FakePeer> peer_ = std::make_shared<FakePeer>();
  FakeTransport* transport_ = nullptr;
  ConnectionId id_;
  AnswerReader reader_;
  std::deque<Asked> asked_;
  std::map<std::uint32_t, Expected> expected_;
  std::vector<std::string> told_;
  std::size_t checked_ = 0;
  std::optional<std::uint32_t> last_sequence_;
  std::size_t piece_ = SIZE_MAX;
  std::size_t unread_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool websocket_open_ = false;
  bool websocket_closed_ = false;
  bool hard_ = false;  // the server was ended at once
};

}  // namespace httpuv::server::test
