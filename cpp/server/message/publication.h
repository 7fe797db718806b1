// A message for several subscribers: its WebSocket frame is made once, and shared by all of them
// and by the topic's history.
//
// Thread: made on any, then the loop's alone; a lane may compress `message` while it is not ready.
// Ownership: shared.
// Failure: none but memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/charge.h"
#include "server/message/connection_id.h"
#include "websocket/prepared_message.h"

namespace httpuv::server {

// A message on its way out, for one socket or many.
struct Outgoing {
  Outgoing(bool text, std::string_view data, bool compress_it)
      : message(text, data), compress(compress_it) {}

  websocket::PreparedMessage message;
  bool compress;
  bool ready = true;                    // false while a lane compresses it
  base::Charge charge{};                // for the frames that were made of it
  std::vector<ConnectionId> waiting{};  // connections to notify when it is ready
};
using SharedOutgoing = std::shared_ptr<Outgoing>;

// What it holds.
inline std::size_t cost_of(const Outgoing& message) {
  return sizeof(Outgoing) + message.message.memory();
}

// One that was published to a topic.
struct Publication : Outgoing {
  using Outgoing::Outgoing;

  std::string event{};       // the name of the server-sent event; "": none, which is "message"
  std::string epoch{};       // of its topic, when it was published; "": a broker's
  std::uint64_t offset = 0;  // in its topic, from 1 on; 0: outside of the topic's history
  std::uint64_t serial = 0;  // rises over all topics of the server
  std::int64_t at_ms = 0;    // when it came, by the loop's clock

  // What it holds, its own fields included.
  [[nodiscard]] std::size_t cost() const {
    return sizeof(Publication) + message.plain().size() + event.size();
  }
};
using SharedPublication = std::shared_ptr<Publication>;

}  // namespace httpuv::server
