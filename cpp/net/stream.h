// One accepted connection, TCP or Unix.
//
// What: reads into the loop's shared buffer, writes at once what the socket takes, keeps the
//   rest in order: bytes, shared bytes and file ranges. An idle stream owns no memory besides
//   itself.
// Thread: the loop thread alone.
// Ownership: a member of, or owned by, its handler; must stay until on_closed(), in which it may
//   be destroyed. A stream that was never opened may be destroyed at any time.
// Failure: what fails inside a call is returned by that call (a negative libuv error number) and
//   not reported again; what fails later comes as on_error(). After either the stream stays
//   failed: nothing is read or written any more, further writes return the same error, and the
//   handler is expected to close() or reset() it.
// Callbacks: no function here calls the handler before it returns. Inside any callback every
//   function may be called, close() included; after close() the only callback is on_closed().
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/accepted.h"
#include "net/address.h"
#include "net/file_ref.h"
#include "net/loop.h"

namespace httpuv::net {

class Outbox;

class StreamHandler {
 public:
  // Points into the loop's read buffer: gone when the call returns.
  virtual void on_data(std::string_view data) = 0;
  // The peer sent FIN; reading has stopped. Writing still works (RFC 9112 section 9.6: half-closed
  // clients are answered).
  virtual void on_eof() = 0;
  // Reading or writing failed. UV_EOF: a file being sent turned out shorter than promised.
  virtual void on_error(int error) = 0;
  // busy() was true and now everything went to the kernel.
  virtual void on_drained() = 0;
  // The last callback; stream and handler may be destroyed.
  virtual void on_closed() = 0;

 protected:
  virtual ~StreamHandler() = default;
};

class Stream {
 public:
  // What one stream may hand to sendfile(2) in one turn of the loop: a fast reader is fair to the
  // others.
  static constexpr std::size_t kFileSlice = std::size_t{512} * 1024;

  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes the connection; not reading yet. On error (out of memory) the stream is closing already:
  // on_closed() follows.
  int open(Accepted&& accepted, StreamHandler* handler);
  void set_handler(StreamHandler* handler) { handler_ = handler; }

  // Both cost a system call each time: to hold back one request, keep its bytes instead.
  void start_reading();
  void stop_reading();
  bool reading() const { return reading_; }

  // Sends a, then b. What the socket does not take at once is copied.
  int write(std::string_view a, std::string_view b = {});
  // Sends head, then body. Of what does not fit, the head is copied and the body moved: `body` is
  // emptied only then.
  int write_owned(std::string_view head, std::string&& body);
  // Sends head, then body, which `owner` keeps valid. Of what does not fit, the head is copied and
  // the owner shared.
  int write_shared(std::string_view head, std::string_view body,
                   const std::shared_ptr<const void>& owner);
  // Sends head, then `length` bytes of the file from `offset`, without ever waiting for the disk on
  // this thread. If the file ends early the stream fails with UV_EOF: the connection is cut, never
  // padded.
  int send_file(std::string_view head, FileRef file, std::uint64_t offset, std::uint64_t length);

  // Bytes taken from the caller but not yet by the kernel; file ranges do not count.
  std::size_t queued() const;
  // Anything still to be sent, file ranges included.
  bool busy() const { return outbox_ != nullptr; }
  // Grows with every byte the kernel takes: progress, for the write-stall deadline.
  std::uint64_t bytes_written() const;

  // FIN once everything before it was sent; reading goes on. Writes after it return UV_EPIPE.
  void shutdown();
  // At once, whatever is queued. Idempotent.
  void close();
  // Like close(), with RST on TCP: the peer learns that it was cut off.
  void reset();
  // The peer's FIN was seen, and on_eof() called.
  bool ended() const { return eof_; }
  // Between close() and on_closed(), and before open().
  bool closing() const { return state_ != State::kOpen; }

  // Whether the peer has reset the connection, which a stream that is not reading does not notice
  // by itself. A peer that has only sent FIN is not gone. Asks the kernel.
  [[nodiscard]] bool peer_gone() const;

  // The descriptor; -1 unless open.
  int fd() const;
  Loop& loop() const { return Loop::of(handle_.stream.loop); }
  const PeerAddress& peer_address() const { return peer_; }
  // The same as text; made and kept at the first call.
  const Peer& peer();

 private:
  friend class Outbox;
  enum class State : std::uint8_t { kUnopened, kOpen, kClosing };
  union Handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);
  static void on_uv_closed(uv_handle_t* handle);

  // Sends from the front of a and b until the socket is full; 0 or an error.
  int send_now(std::string_view& a, std::string_view& b);
  // The same with what a file slice follows.
  int send_head(std::string_view& head);
  // What a write must return at once; 0 if it may go on.
  int refusal() const;
  Outbox& outbox();
  int start_outbox(std::size_t budget = kFileSlice);
  int fail(int error);
  void outbox_failed(int error);
  void outbox_drained();
  bool begin_close();

  Handle handle_;
  StreamHandler* handler_ = nullptr;
  std::unique_ptr<Outbox> outbox_;  // exists while something is queued
  std::unique_ptr<Peer> peer_text_;
  std::uint64_t written_ = 0;
  PeerAddress peer_;
  int error_ = 0;
  State state_ = State::kUnopened;
  bool reading_ = false;
  bool eof_ = false;       // seen
  bool shutdown_ = false;  // asked for
};

}  // namespace httpuv::net
