// The interface of a connection for its protocol: bytes in both directions, and an end. Stream
// implements it; tests have an implementation without a socket.
//
// Thread: the loop thread alone.
// Ownership: by its handler, until on_closed(), in which it may be destroyed.
// Failure: no memory is UV_ENOMEM. What fails inside a call is returned by that call (a negative
// libuv error number) and not
//   reported again; what fails later comes as on_error(). After either it stays failed: nothing is
//   read or written any more, further writes return the same error, and the handler is expected to
//   close() or reset() it.
// Callbacks: no function here calls the handler before it returns. Inside any callback every
//   function may be called, close() included; after close() the only callback is on_closed().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "net/file/file_ref.h"
#include "net/listen/address.h"
#include "net/stream/tls_info.h"

namespace httpuv::net {

class StreamHandler {
 public:
  // Where the next bytes are to be put, which on_data() then points to; empty: the loop's read
  // buffer. It is asked right before each read.
  virtual std::span<char> read_into() noexcept { return {}; }
  // In the loop's read buffer the bytes are gone when the call returns.
  virtual void on_data(std::string_view data) = 0;
  // The peer sent FIN; reading has stopped. Writing still works (RFC 9112 section 9.6: half-closed
  // clients are answered).
  virtual void on_eof() = 0;
  // Reading or writing failed. UV_EOF: a file being sent turned out shorter than promised.
  virtual void on_error(int error) noexcept = 0;
  // busy() was true and now everything went to the kernel.
  virtual void on_drained() = 0;
  // The last callback; stream and handler may be destroyed.
  virtual void on_closed() noexcept = 0;

 protected:
  virtual ~StreamHandler() = default;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Where what is queued from now on is counted; the ledger outlives the transport.
  virtual void charge_to(base::Ledger& ledger, base::Ledger::Kind kind) = 0;

  // Both cost a system call each time: to hold back one request, keep its bytes instead.
  virtual void start_reading() = 0;
  virtual void stop_reading() = 0;
  [[nodiscard]] virtual bool reading() const = 0;

  // Sends a, then b. What the peer does not take at once is copied.
  virtual int write(std::string_view a, std::string_view b = {}) = 0;
  // Sends head, then body. Of what does not fit, the head is copied and the body moved: `body` is
  // emptied only then.
  virtual int write_owned(std::string_view head, std::string&& body) = 0;
  // Sends head, then body, which `owner` keeps valid. Of what does not fit, the head is copied and
  // the owner shared. `held`: bytes of the owner that nothing else charges; they are charged while
  // the body waits.
  virtual int write_shared(std::string_view head, std::string_view body,
                           const std::shared_ptr<const void>& owner, std::size_t held = 0) = 0;
  // Sends head, then `length` bytes of the file from `offset`, without ever waiting for the disk on
  // this thread. If the file ends early the stream fails with UV_EOF: the connection is cut, never
  // padded.
  virtual int send_file(std::string_view head, FileRef file, std::uint64_t offset,
                        std::uint64_t length) = 0;

  // Bytes taken from the caller but not yet by the kernel; file ranges do not count.
  [[nodiscard]] virtual std::size_t queued() const = 0;
  // Anything still to be sent, file ranges included.
  [[nodiscard]] virtual bool busy() const = 0;
  // Grows with every byte the kernel takes: progress, for the write-stall deadline.
  [[nodiscard]] virtual std::uint64_t bytes_written() const = 0;

  // FIN once everything before it was sent; reading goes on. Writes after it return UV_EPIPE.
  virtual void shutdown() = 0;
  // At once, whatever is queued. Idempotent.
  virtual void close() = 0;
  // Like close(), with RST on TCP: the peer learns that it was cut off.
  virtual void reset() = 0;
  // The peer's FIN was seen, and on_eof() called.
  [[nodiscard]] virtual bool ended() const = 0;
  // Whether the peer has reset the connection, which a stream that is not reading does not notice
  // by itself. A peer that has only sent FIN is not gone. Asks the kernel.
  [[nodiscard]] virtual bool peer_gone() const = 0;

  // The peer's address as text; made and kept at the first call.
  virtual const Peer& peer() = 0;
  // What is known of its TLS session; null where there is none, or not yet.
  [[nodiscard]] virtual std::shared_ptr<const TlsInfo> tls() const { return nullptr; }
};

}  // namespace httpuv::net
