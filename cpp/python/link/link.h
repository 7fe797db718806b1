// The way from an application to its server: commands, the room for them, and functions in order
// with the events. The handles of answers, bodies and sockets stand on it, and know nothing else of
// the application.
//
// With the GIL held, from any thread. Shared by the application, which it is the base of, and its
// handles; the owner of the server stops it before it releases the object. Failure: commands to a
// server that has stopped are dropped, and false says so.
// More than 25 members and methods, because it has one method for each way a command may go.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "python/queue/consumer.h"
#include "python/queue/queue.h"
#include "server/message/message.h"
#include "server/workers.h"

namespace httpuv::python {

class Link : public Consumer, public std::enable_shared_from_this<Link> {
 public:
  Link(const server::Settings& settings, const std::shared_ptr<Queue>& queue,
       const server::Workers::MakeSink& make_sink);

  server::Workers& server() final { return server_; }

  // --- what handles tell the application ---

  // The exchange is answered: its Reply and its Upload get no more notifications.
  virtual void answered(const server::ExchangeId& id) = 0;
  // The handshake that an exchange asks for is accepted: its listener stays.
  virtual void accepted(const server::ExchangeId& id) = 0;
  // Notes that so many messages that a WebSocket's listener kept were used.
  virtual void consumed(const server::ConnectionId& id, std::size_t messages) = 0;
  // Messages of a WebSocket were dropped.
  virtual void dropped(const server::ConnectionId& id, std::size_t count) = 0;

  // --- commands ---

  // Called before data of arbitrary size is sent: waits, with the GIL released, while the loop is
  // behind with earlier commands. False: it is behind, and this thread must not wait, because an
  // asyncio loop runs on it. Never called with a lock held. Throws exceptions of signal handlers.
  bool wait_for_room();
  // The bound for a thread that must not wait, for one WebSocket or topic, and the policy beyond
  // it.
  [[nodiscard]] std::size_t ws_max_queue() const { return ws_max_queue_; }
  [[nodiscard]] server::Overflow ws_overflow() const { return ws_overflow_; }

  // A command from outside a callback, or inside one. False: the server has stopped.
  bool send(server::Command&& command);
  bool subscribe(server::WsSubscribe&& command);
  bool feed(server::Feed&& command);
  // Publishes a message with its topic's next offset, which it returns; 0 if the server is
  // stopping.
  std::uint64_t publish(std::string&& topic, server::SharedPublication message);
  // As send(), without ringing: ring() follows soon.
  bool leave(server::Command&& command);

  void begin() final { server_.begin(); }
  void ring() { server_.ring(); }
  void ring(int handled) final;
  // As ring(), before the thread waits for what the loop does.
  void hurry() { server_.hurry(); }
  // Calls a function whose commands are gathered as those of a callback are.
  void gather(const pybind11::object& function);
  // Calls a function in order with the events of a connection.
  void post(const server::ConnectionId& id, pybind11::object function);

 protected:
  // While one lives, commands of this thread wait for the queue, which rings for all of them. They
  // nest; `link` null: commands ring by themselves.
  class Gathering {
   public:
    explicit Gathering(const Link* link);
    ~Gathering();
    Gathering(const Gathering&) = delete;
    Gathering& operator=(const Gathering&) = delete;

   private:
    const Link*& here_;  // this thread's: to look for it is a call
    const Link* const outer_;
  };

  // So many events are on their way to callbacks, until ring().
  void expect(std::size_t events) { unhandled_.fetch_add(events, std::memory_order_relaxed); }
  [[nodiscard]] bool idle() const { return unhandled_.load(std::memory_order_relaxed) == 0; }
  [[nodiscard]] std::shared_ptr<Queue> queue() const { return queue_.lock(); }

 private:
  [[nodiscard]] bool rings() const;

  const std::size_t ws_max_queue_;
  const server::Overflow ws_overflow_;
  const std::weak_ptr<Queue> queue_;       // its owner is that of this
  std::atomic<std::size_t> unhandled_{0};  // delivered events with unreported answers
  server::Workers server_;
};

}  // namespace httpuv::python
