#include "server/message/topic/event_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/message/chunked.h"

namespace httpuv::server {

namespace {

bool is_epoch_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// "EPOCH.OFFSET", the offset without a sign and without leading zeros.
std::optional<Position> parse_position(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || !is_epoch(text.substr(0, dot))) return {};
  const std::string_view digits = text.substr(dot + 1);
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return {};
  Position position{std::string(text.substr(0, dot)), 0};
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, position.offset);
  if (error != std::errc() || stop != end) return {};
  return position;
}

}  // namespace

bool is_epoch(std::string_view text) {
  return !text.empty() && text.size() <= kMaxEpoch &&
         std::all_of(text.begin(), text.end(), is_epoch_character);
}

void append_position(std::string& out, std::string_view epoch, std::uint64_t offset) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), offset).ptr;
  out.append(epoch).push_back('.');
  out.append(digits.data(), end);
}

std::optional<std::vector<Position>> parse_positions(std::string_view id, std::size_t most) {
  std::vector<Position> positions;
  while (positions.size() < most) {
    const std::size_t comma = id.find(',');
    std::optional<Position> position = parse_position(id.substr(0, comma));
    if (!position) return {};
    positions.push_back(std::move(*position));
    if (comma == std::string_view::npos) return positions;
    id.remove_prefix(comma + 1);
  }
  return {};
}

void append_event(std::string& out, std::string_view id, std::string_view event,
                  std::string_view data) {
  if (!id.empty()) out.append("id: ").append(id).push_back('\n');
  if (!event.empty()) out.append("event: ").append(event).push_back('\n');
  while (true) {
    const std::size_t end = data.find_first_of("\r\n");
    out.append("data: ").append(data.substr(0, end)).push_back('\n');
    if (end == std::string_view::npos) break;
    const bool both = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
    data.remove_prefix(end + (both ? 2 : 1));
  }
  out.push_back('\n');
}

void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (byte < 0x20) {
      out.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

EventText::EventText(std::string_view events) : size_(events.size()) {
  char prefix[http::kMaxChunkPrefix];
  const std::size_t size = http::chunk_prefix(prefix, events.size());
  bytes_.reserve(size + events.size() + http::kChunkEnd.size());
  bytes_.append(prefix, size).append(events).append(http::kChunkEnd);
  plain_ = size;
}

}  // namespace httpuv::server
