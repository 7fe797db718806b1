// The PROXY protocol, versions 1 and 2: a proxy begins a connection with a line or block that names
// the client (haproxy.org, "The PROXY protocol").
//
// What: reads the preamble from the first bytes of a connection, and no byte after it.
// Thread: any. Owner: values. Failure: kError for other bytes, or a preamble longer than kMost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace httpuv::http {

struct ProxyPreamble {
  // The specification allows 64 KiB of details (version 2); nothing sends that.
  static constexpr std::size_t kMost = 4096;
  enum class Result : std::uint8_t { kNeedMore, kDone, kError };

  // The client; "" if it is the peer itself (a health check of the proxy), or is not given.
  std::string address;
  int port = 0;
  std::size_t size = 0;  // of the preamble, after kDone

  // `bytes`: all that has come so far.
  Result read(std::string_view bytes);

 private:
  Result read_text(std::string_view bytes);
  Result read_binary(std::string_view bytes);
};

}  // namespace httpuv::http
