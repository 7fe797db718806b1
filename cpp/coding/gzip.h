// The gzip coding (RFC 1952), for whole bodies and for bodies in pieces. This is CPU work: long
// bodies are coded by a computing thread, in slices. Equal input gives equal output, because no
// name and no time are recorded.
//
// Fails only if there is no memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace httpuv::coding {

std::optional<std::string> gzip(std::string_view bytes);

// One body in pieces. It takes about 256 KiB; used by one thread at a time.
class GzipStream {
 public:
  enum class Until : std::uint8_t {
    kMore,     // output may wait for the next piece
    kFlushed,  // the receiver can decode all bytes so far
    kEnd,
  };

  GzipStream();
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // Appends the coded bytes. False: it failed and cannot be used any more.
  bool code(std::string_view bytes, Until until, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Bytes that are coded in slices of about a millisecond. They belong to the caller and outlive
// this.
class GzipSlices {
 public:
  GzipSlices(std::string_view bytes, GzipStream::Until until) : rest_(bytes), until_(until) {}

  // Appends the output of the next slice. True: there is more to do.
  bool code(GzipStream& stream, std::string& out);
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  GzipStream::Until until_;
  bool failed_ = false;
};

// One whole body in slices; the state, 256 KiB, is there from the first to the last.
class GzipBody {
 public:
  explicit GzipBody(std::string_view bytes) : slices_(bytes, GzipStream::Until::kEnd) {}

  bool code();  // true: there is more to do
  // When there is not; nothing if it failed.
  std::optional<std::string> take();

 private:
  GzipSlices slices_;
  std::unique_ptr<GzipStream> stream_;
  std::string coded_;
};

}  // namespace httpuv::coding
