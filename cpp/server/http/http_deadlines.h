// The deadlines of a connection that speaks HTTP/1: how long a head, a body, the next request, the
// peer's reading and a lingering close may take.
//
// Loop thread only; a part of HttpSession. A deadline that passes refuses the request (408) or ends
// the connection.
#pragma once

#include <cstdint>
#include <optional>

namespace httpuv::server {

class HttpSession;

class HttpDeadlines {
 public:
  explicit HttpDeadlines(HttpSession& http) : http_(http) {}

  // The connection is open: its first request is due.
  void start();
  // Sets the deadline that applies now.
  void update();
  // The awaited head is complete.
  void head_came() { head_started_ = 0; }
  // Milliseconds since the first byte of a head that is not complete.
  [[nodiscard]] std::int64_t since_head() const;
  // The last answer was given.
  void finish();
  // The last answer was written: the peer's FIN is due.
  void linger();
  // The peer sends more data instead.
  void lingers_on();
  // The server stops, and the connection is idle. Deadlines are looked at after reading: a request
  // that has come already is answered.
  void drain();
  // Since when the connection, which is idle, has been so; none: its first request may be on its
  // way.
  [[nodiscard]] std::optional<std::int64_t> idle_since() const;

  void expired();

 private:
  void set(std::int64_t at_ms);
  [[nodiscard]] std::int64_t waiting_time() const;
  [[nodiscard]] std::int64_t linger_time() const;

  HttpSession& http_;
  std::int64_t due_ = 0;           // when the present wait is too long
  std::int64_t head_started_ = 0;  // first byte of a head that is not complete; 0: none
  std::int64_t linger_until_ = 0;
  // The peer's progress when the deadline was set, or that nothing waited for it then.
  static constexpr std::uint64_t kNothingToWrite = UINT64_MAX;
  std::uint64_t written_before_ = kNothingToWrite;
};

}  // namespace httpuv::server
