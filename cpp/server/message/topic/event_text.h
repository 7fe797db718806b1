// The text of server-sent events: what is written, and the Last-Event-ID that comes back.
//
// What: events of any text, framed for a chunked body once for all clients; ids that name a
//   position in each topic of a stream, "EPOCH.OFFSET,EPOCH.OFFSET"
//   (https://html.spec.whatwg.org/multipage/server-sent-events.html). No I/O, no clock.
// Thread: any; plain data.
// Ownership: an EventText is shared by all clients that it is sent to, and constant from then on.
// Failure: an id that is not of this form gives nothing. Only memory can run out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/charge.h"

namespace httpuv::server {

// A position in a topic: after the message with that offset, in that epoch.
struct Position {
  std::string epoch;
  std::uint64_t offset = 0;
  bool operator==(const Position&) const = default;
};

constexpr std::size_t kMaxEpoch = 64;

// Letters, digits, "-" and "_", 1 to kMaxEpoch of them: what needs no escaping anywhere.
bool is_epoch(std::string_view text);

void append_position(std::string& out, std::string_view epoch, std::uint64_t offset);

// The positions of an id, in their order; nothing if it is not exactly that.
std::optional<std::vector<Position>> parse_positions(std::string_view id, std::size_t most);

// `id` and `event` have no line ends and may be empty: then the field is left out.
void append_event(std::string& out, std::string_view id, std::string_view event,
                  std::string_view data);

// A JSON string. `text` is UTF-8.
void append_json(std::string& out, std::string_view text);

// Some events, with the framing of a chunk around them.
class EventText {
 public:
  explicit EventText(std::string_view events);

  [[nodiscard]] std::string_view chunk() const { return bytes_; }
  [[nodiscard]] std::string_view plain() const {
    return std::string_view(bytes_).substr(plain_, size_);
  }
  [[nodiscard]] std::size_t cost() const { return sizeof(EventText) + bytes_.capacity(); }
  void charge_with(base::Charge&& charge) { charge_ = std::move(charge); }

 private:
  std::string bytes_;
  base::Charge charge_{};
  std::size_t plain_ = 0;
  std::size_t size_ = 0;
};

}  // namespace httpuv::server
