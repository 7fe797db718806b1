// Memory that is not there ends one connection, never the process: each allocation that serving one
// makes is refused once, by replacing operator new for this program.
#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/commands.h"
#include "server/connection/turn.h"
#include "server/http/http_session.h"
#include "world.h"

namespace {

// Of this thread: how many allocations there are before the one that fails; negative: none does.
thread_local int t_left = -1;
thread_local bool t_failed = false;

void* allocate(std::size_t size) {
  if (t_left >= 0 && t_left-- == 0) {
    t_failed = true;
    throw std::bad_alloc();
  }
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

// While it lives allocations count, and one fails.
class Scarce {
 public:
  explicit Scarce(int& left) : left_(left) { t_left = left; }
  Scarce(const Scarce&) = delete;
  Scarce& operator=(const Scarce&) = delete;
  ~Scarce() {
    left_ = t_left;
    t_left = -1;
  }

 private:
  int& left_;
};

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return allocate(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t& none) noexcept {
  return operator new(size, none);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  std::free(block);
}

namespace httpuv::server::test {
namespace {

// A connection, of which all but the calls into it have memory.
struct Served {
  Settings settings;
  MetricsMemory metrics{};
  Counters& counters = metrics.own().counters;
  const std::shared_ptr<Budget> budget =
      std::make_shared<Budget>(Budget::Bounds{UINT64_MAX, UINT64_MAX, UINT64_MAX});
  FakeReactor reactor{};
  Context context;
  StaticFiles files;
  Publications publications;
  EventGroups event_groups;
  std::shared_ptr<FakePeer> peer = std::make_shared<FakePeer>();
  Connection* connection = nullptr;
  FakeTransport* transport = nullptr;
  int left;

  explicit Served(int allocations)
      : settings(answering()),
        context{reactor, settings, settings.limits, metrics, *budget},
        files(context),
        publications(context),
        event_groups(context),
        left(allocations) {
    context.files = &files;
    context.gathered = &publications;
    context.event_groups = &event_groups;
    context.on_connection_closed = [] {};
    context.clock.tick();
    peer->sent.reserve(std::size_t{1} << 20);  // its memory is not ours
    peer->waiting.reserve(std::size_t{1} << 20);
    const ConnectionId id = context.connections.reserve();
    auto own = std::make_unique<FakeTransport>(peer);
    transport = own.get();
    auto made = std::make_unique<Connection>(context, id, std::move(own), Door{},
                                             make_protocol<HttpSession>);
    connection = made.get();
    transport->set_handler(connection);
    context.connections.put(id, std::move(made));
    counters.connections.add();
    connection->start();
  }

  static Settings answering() {
    Settings settings(usual_limits());
    settings.abilities.call = true;
    settings.abilities.websocket = true;
    return settings;
  }

  void say(std::string_view bytes) {
    if (peer->closed) return;
    const Scarce scarce(left);
    connection->on_data(bytes);
  }
  // By reads into where the connection wants the bytes.
  void say_where_wanted(std::string_view bytes) {
    while (!bytes.empty() && !peer->closed) {
      const Scarce scarce(left);
      const std::span<char> place = connection->read_into();
      if (place.empty()) return connection->on_data(bytes);
      const std::size_t size = bytes.copy(place.data(), place.size());
      bytes.remove_prefix(size);
      connection->on_data({place.data(), size});
    }
  }
  void carry(Command&& command) {
    const Scarce scarce(left);
    carry_out(context, publications, std::move(command));
  }
  std::vector<Event> turn() {
    write_out(context);
    return std::exchange(context.events, {});
  }
  // Each request that was handed over is answered.
  void answer() {
    for (Event& event : turn()) {
      if (auto* request = std::get_if<RequestEvent>(&event)) {
        request->envelope->head.status = 200;
        request->envelope->answer = std::string(5000, 'a');
        carry(Respond{std::move(request->envelope)});
      } else if (auto* open = std::get_if<WsOpenEvent>(&event)) {
        socket = open->request->id.connection;
        if (open->waiting) carry(WsAccept{open->request->id, {}, {}});
      }
    }
    turn();
  }
  void end() {
    if (!peer->closed) connection->close();
    turn();
    transport->finish_closing();
    turn();
  }

  ConnectionId socket{};
};

// Runs it with each allocation refused in its turn, until there are no more.
void refuse_each(void (*serve)(Served&)) {
  int refused = 0;
  for (;; ++refused) {
    t_failed = false;
    CAPTURE(refused);
    Served served(refused);
    serve(served);
    const bool failed = t_failed;
    if (failed) CHECK(served.counters.overloaded.get() + (served.peer->closed ? 1 : 0) > 0);
    served.end();
    CHECK(served.context.connections.size() == 0);
    CHECK(served.counters.connections.get() == 0);
    CHECK(served.counters.in_flight.get() == 0);
    CHECK(served.budget->memory() == 0);
    if (!failed) break;
    REQUIRE(refused < 1000);
  }
  CHECK(refused > 3);
}

TEST_CASE("no memory for a request or its answer ends the connection alone") {
  refuse_each([](Served& served) {
    served.say("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\nX-Long: " +
               std::string(500, 'x') + "\r\n\r\n" + std::string(1000, 'b'));
    served.say(std::string(2000, 'b'));
    served.answer();
    served.say("GET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    served.answer();
  });
}

TEST_CASE("no memory for a WebSocket message either way ends the connection alone") {
  refuse_each([](Served& served) {
    served.say(
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    served.answer();
    const std::string frame = std::string("\x82\xfe\x03\xe8", 4) + std::string(4, '\0');
    served.say(frame + std::string(500, 'm'));
    served.say(std::string(500, 'm'));
    served.turn();
    served.carry(WsSubscribe{served.socket, "news", true});
    served.carry(WsSend{served.socket, true, false, std::string(3000, 's')});
    served.carry(
        Publish{"news", std::make_shared<Publication>(true, std::string(3000, 'p'), false)});
    {
      const Scarce scarce(served.left);
      served.publications.send();
    }
    served.turn();
  });
}

TEST_CASE("no memory for a long WebSocket message ends the connection alone") {
  refuse_each([](Served& served) {
    served.say(
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    served.answer();
    // 200,000 bytes and then 40,000.
    served.say_where_wanted(std::string("\x82\xff\0\0\0\0\0\x03\x0d\x40\0\0\0\0", 14) +
                            std::string(200'000, 'm') + std::string("\x82\xfe\x9c\x40\0\0\0\0", 8) +
                            std::string(40'000, 'm'));
    served.turn();
  });
}

TEST_CASE("a slot is taken by what is put there, not by what could not be made") {
  SlotMap<int> map;
  const ConnectionId first = map.reserve();
  const ConnectionId second = map.reserve();
  CHECK(first.slot == second.slot);
  map.put(second, std::make_unique<int>(1));
  CHECK(map.reserve().slot != second.slot);
  CHECK(map.size() == 1);
}

}  // namespace
}  // namespace httpuv::server::test
