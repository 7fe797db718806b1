// The PROXY protocol, versions 1 and 2: the line or block with which a proxy begins a connection,
// and names the client in it (haproxy.org, "The PROXY protocol").
//
// What: reads it from the first bytes of a connection; takes no more than it.
// Thread: any. Owner: values. Failure: kError for what is none, or longer than kMost.
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

  // The client; "" if it is the peer itself (a health check of the proxy), or is not told.
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
