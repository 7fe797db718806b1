// The format of a line of the access log.
//
// What: "text", "common", "combined", "json", or a text with fields in braces, "{client} {status}";
//   a brace itself is doubled. What could end a line, its quotes or the colour of a terminal is
//   escaped.
// Thread: the loop thread. Owner: what writes the log. Failure: make() names the field that there
// is
//   not.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/listen/address.h"
#include "server/observe/observer.h"

namespace httpuv::server {

class LogFormat {
 public:
  // Nothing, and what is wrong in *error.
  static std::optional<LogFormat> make(std::string_view text, std::string* error);

  // A line with its end.
  void append(std::string& out, const Observed& exchange, const net::Peer& client,
              std::chrono::system_clock::time_point now);
  // Whether it has the request id, which then has to be made.
  [[nodiscard]] bool has_request_id() const;

 private:
  enum class Field : std::uint8_t {
    kText,
    kTime,     // 2026-11-28T10:00:00.123Z
    kClfTime,  // 28/Nov/2026:11:00:00 +0100
    kClient,
    kPort,
    kRequest,
    kMethod,
    kTarget,
    kProtocol,
    kStatus,
    kSize,
    kSeconds,
    kMilliseconds,
    kHost,
    kScheme,
    kReferer,
    kUserAgent,
    kRequestId,
    kTraceId,
    kKind,
  };
  struct Piece {
    Field field = Field::kText;
    std::string text;
  };
  struct Name {
    std::string_view name;
    Field field;
    bool number;
  };
  static const std::vector<Name>& names();

  void append_field(std::string& out, Field field, const Observed& exchange,
                    const net::Peer& client, std::chrono::system_clock::time_point now);
  void append_json(std::string& out, const Observed& exchange, const net::Peer& client,
                   std::chrono::system_clock::time_point now);

  std::vector<Piece> pieces_;  // none: JSON
  std::time_t second_ = -1;    // what the two below are of
  std::string time_;
  std::string clf_time_;
};

}  // namespace httpuv::server
