#include "server/observe/log_format.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <utility>

namespace httpuv::server {

namespace {

constexpr std::string_view kText =
    "{time} {client}:{port} - \"{request}\" {status} {size} {milliseconds} ms";
constexpr std::string_view kCommon = "{client} - - [{clf_time}] \"{request}\" {status} {size}";
constexpr std::string_view kCombined =
    "{client} - - [{clf_time}] \"{request}\" {status} {size} \"{referer}\" \"{user_agent}\"";

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F || c == '"' || c == '\\') {
      out.append("\\x");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
}

// Bytes beyond ASCII are taken for Latin-1, as everywhere in HTTP/1.1.
void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_number(std::string& out, const char* format, double value) {
  std::array<char, 48> text{};
  const int size = std::snprintf(text.data(), text.size(), format, value);
  out.append(text.data(), static_cast<std::size_t>(size));
}

// The parts of a request line.
std::string_view part(std::string_view line, int which) {
  for (; which > 0; --which) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return {};
    line.remove_prefix(space + 1);
  }
  return line.substr(0, line.find(' '));
}

}  // namespace

const std::vector<LogFormat::Name>& LogFormat::names() {
  static const std::vector<Name> kNames{
      {"time", Field::kTime, false},
      {"clf_time", Field::kClfTime, false},
      {"client", Field::kClient, false},
      {"port", Field::kPort, true},
      {"request", Field::kRequest, false},
      {"method", Field::kMethod, false},
      {"target", Field::kTarget, false},
      {"protocol", Field::kProtocol, false},
      {"status", Field::kStatus, true},
      {"size", Field::kSize, true},
      {"seconds", Field::kSeconds, true},
      {"milliseconds", Field::kMilliseconds, true},
      {"host", Field::kHost, false},
      {"scheme", Field::kScheme, false},
      {"referer", Field::kReferer, false},
      {"user_agent", Field::kUserAgent, false},
      {"request_id", Field::kRequestId, false},
      {"trace_id", Field::kTraceId, false},
      {"kind", Field::kKind, false},
  };
  return kNames;
}

std::optional<LogFormat> LogFormat::make(std::string_view text, std::string* error) {
  LogFormat format;
  if (text == "json") return format;
  if (text == "text") text = kText;
  if (text == "common") text = kCommon;
  if (text == "combined") text = kCombined;
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool brace = text[i] == '{' || text[i] == '}';
    if (!brace || (i + 1 < text.size() && text[i + 1] == text[i])) {
      if (brace) ++i;
      plain.push_back(text[i]);
      continue;
    }
    const std::size_t end = text.find('}', i);
    const std::string_view name =
        end == std::string_view::npos ? text.substr(i) : text.substr(i + 1, end - i - 1);
    const auto found = std::find_if(names().begin(), names().end(),
                                    [&](const Name& each) { return each.name == name; });
    if (text[i] == '}' || end == std::string_view::npos || found == names().end()) {
      *error = text[i] == '}' ? "a } that closes nothing" : "no field " + std::string(name);
      return {};
    }
    if (!plain.empty()) format.pieces_.push_back({Field::kText, std::exchange(plain, {})});
    format.pieces_.push_back({found->field, {}});
    i = end;
  }
  if (format.pieces_.empty()) {
    *error = "it has no field, such as {client}";
    return {};
  }
  plain.push_back('\n');
  format.pieces_.push_back({Field::kText, std::move(plain)});
  return format;
}

bool LogFormat::has_request_id() const {
  return pieces_.empty() || std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& each) {
           return each.field == Field::kRequestId;
         });
}

void LogFormat::append(std::string& out, const Observed& exchange, const net::Peer& client,
                       std::chrono::system_clock::time_point now) {
  const std::time_t second = std::chrono::system_clock::to_time_t(now);
  if (second != second_) {
    second_ = second;
    std::array<char, 64> text{};
    std::tm parts{};
    gmtime_r(&second, &parts);
    time_.assign(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts));
    localtime_r(&second, &parts);
    clf_time_.assign(text.data(),
                     std::strftime(text.data(), text.size(), "%d/%b/%Y:%H:%M:%S %z", &parts));
  }
  if (pieces_.empty()) return append_json(out, exchange, client, now);
  for (const Piece& piece : pieces_) {
    if (piece.field == Field::kText) {
      out.append(piece.text);
      continue;
    }
    const std::size_t before = out.size();
    append_field(out, piece.field, exchange, client, now);
    if (out.size() == before) out.push_back('-');
  }
}

void LogFormat::append_json(std::string& out, const Observed& exchange, const net::Peer& client,
                            std::chrono::system_clock::time_point now) {
  char before = '{';
  for (const Name& each : names()) {
    if (each.field == Field::kClfTime || each.field == Field::kMilliseconds) continue;
    std::string value;
    if (each.field == Field::kRequest || each.field == Field::kTarget ||
        each.field == Field::kReferer || each.field == Field::kUserAgent) {
      // Unescaped: JSON has its own way.
      const RequestText* const text = exchange.text.get();
      if (text != nullptr) {
        value = each.field == Field::kRequest   ? text->line
                : each.field == Field::kTarget  ? std::string(part(text->line, 1))
                : each.field == Field::kReferer ? text->referer
                                                : text->user_agent;
      }
    } else {
      append_field(value, each.field, exchange, client, now);
    }
    if (value.empty()) continue;
    out.push_back(before);
    before = ',';
    append_json_text(out, each.name);
    out.push_back(':');
    if (each.number) {
      out.append(value);
    } else {
      append_json_text(out, value);
    }
  }
  out.append("}\n");
}

void LogFormat::append_field(std::string& out, Field field, const Observed& exchange,
                             const net::Peer& client, std::chrono::system_clock::time_point now) {
  static const RequestText kNone;
  const RequestText& text = exchange.text != nullptr ? *exchange.text : kNone;
  const double seconds = std::chrono::duration<double>(exchange.took).count();
  switch (field) {
    case Field::kText:
      break;
    case Field::kTime: {
      const auto since = now.time_since_epoch();
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
      out.append(time_);
      append_number(out, ".%03.0fZ", static_cast<double>(ms));
      break;
    }
    case Field::kClfTime:
      out.append(clf_time_);
      break;
    case Field::kClient:
      out.append(client.address.empty() ? "unix" : client.address);
      break;
    case Field::kPort:
      out.append(std::to_string(client.port));
      break;
    case Field::kRequest:
      append_escaped(out, text.line);
      break;
    case Field::kMethod:
      append_escaped(out, part(text.line, 0));
      break;
    case Field::kTarget:
      append_escaped(out, part(text.line, 1));
      break;
    case Field::kProtocol:
      append_escaped(out, part(text.line, 2));
      break;
    case Field::kStatus:
      out.append(std::to_string(exchange.status));
      break;
    case Field::kSize:
      out.append(std::to_string(exchange.bytes));
      break;
    case Field::kSeconds:
      append_number(out, "%.6f", seconds);
      break;
    case Field::kMilliseconds:
      append_number(out, "%.1f", seconds * 1000);
      break;
    case Field::kHost:
      append_escaped(out, text.host);
      break;
    case Field::kScheme:
      out.append(exchange.https ? "https" : "http");
      break;
    case Field::kReferer:
      append_escaped(out, text.referer);
      break;
    case Field::kUserAgent:
      append_escaped(out, text.user_agent);
      break;
    case Field::kRequestId:
      append_escaped(out, text.request_id);
      break;
    case Field::kTraceId:
      append_escaped(out, text.trace_id);
      break;
    case Field::kKind:
      out.append(kAnsweredByNames[static_cast<std::size_t>(exchange.by)]);
      break;
  }
}

}  // namespace httpuv::server
