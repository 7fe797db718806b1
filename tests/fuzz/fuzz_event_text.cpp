// The text of server-sent events and the ids that come back: what a browser's parser finds in an
// event is what was put in, and an id is accepted exactly if it is one that is written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/message/topic/event_text.h"

using namespace httpuv::server;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The data of an event as it should arrive: every line end is "\n".
std::string plain_lines(std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const bool both = data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n';
    if (both) continue;
    out.push_back(data[i] == '\r' ? '\n' : data[i]);
  }
  return out;
}

// As the standard says: lines, fields, an empty line at the end.
std::string parsed(std::string_view text) {
  std::string data;
  bool any = false;
  while (true) {
    const std::size_t end = text.find_first_of("\r\n");
    require(end != std::string_view::npos && text[end] == '\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) break;
    if (line.substr(0, 6) != "data: ") {
      require(line == "id: a.1" || line == "event: name");
      continue;
    }
    if (any) data.push_back('\n');
    any = true;
    data.append(line.substr(6));
  }
  require(any && text.empty());
  return data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  std::string event;
  append_event(event, "a.1", "name", input);
  require(parsed(event) == plain_lines(input));
  const EventText text(event);
  require(text.plain() == event && text.chunk().find(event) != std::string_view::npos);

  if (const auto positions = parse_positions(input, 8)) {
    require(!positions->empty() && positions->size() <= 8);
    std::string again;
    for (const Position& each : *positions) {
      if (!again.empty()) again.push_back(',');
      append_position(again, each.epoch, each.offset);
    }
    require(again == input);
  }
  std::string json;
  append_json(json, input);
  require(json.find_first_of("\r\n") == std::string::npos);
  return 0;
}
