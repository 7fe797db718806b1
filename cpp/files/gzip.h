// The gzip coding (RFC 1952), of whole bodies and of those that come in pieces. CPU work: pool
// threads for anything long. The same bytes in give the same bytes out: no name and no time are
// recorded.
//
// Fails only when there is no memory for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace httpuv::files {

std::optional<std::string> gzip(std::string_view bytes);

// One body in pieces. About 256 KiB while it lives; used by one thread at a time.
class GzipStream {
 public:
  enum class Until : std::uint8_t {
    kFlushed,  // whoever reads what came so far has every byte of it
    kEnd,
  };

  GzipStream();
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // Appends the coded bytes. False: it failed, and is of no use any more.
  bool code(std::string_view bytes, Until until, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace httpuv::files
