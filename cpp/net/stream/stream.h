// One accepted connection, TCP or Unix: the Transport of a server.
//
// What: reads into the loop's shared buffer, writes at once what the socket takes, keeps the
//   rest in order: bytes, shared bytes and file ranges. An idle stream owns no memory besides
//   itself.
// Thread: the loop thread alone.
// Ownership: a member of, or owned by, its handler; must stay until on_closed(), in which it may
//   be destroyed. A stream that was never opened may be destroyed at any time.
// Failure and callbacks: see Transport.
// More than 25 members and methods, because half of it is Transport.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "net/file/file_ref.h"
#include "net/listen/accepted.h"
#include "net/listen/address.h"
#include "net/loop/loop.h"
#include "net/stream/transport.h"

namespace httpuv::net {

class Outbox;

class Stream final : public Transport {
 public:
  // What one stream may hand to sendfile(2) in one turn of the loop: a fast reader is fair to the
  // others.
  static constexpr std::size_t kFileSlice = std::size_t{512} * 1024;

  Stream();
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes the connection; not reading yet. On error (out of memory) the stream is closing already:
  // on_closed() follows.
  int open(Accepted&& accepted, StreamHandler* handler);
  void charge_to(base::Ledger& ledger, base::Ledger::Kind kind) override {
    ledger_ = &ledger;
    kind_ = kind;
  }

  void start_reading() override;
  void stop_reading() override;
  [[nodiscard]] bool reading() const override { return reading_; }
  int write(std::string_view a, std::string_view b = {}) override;
  int write_owned(std::string_view head, std::string&& body) override;
  int write_shared(std::string_view head, std::string_view body,
                   const std::shared_ptr<const void>& owner, std::size_t held = 0) override;
  int send_file(std::string_view head, FileRef file, std::uint64_t offset,
                std::uint64_t length) override;
  [[nodiscard]] std::size_t queued() const override;
  [[nodiscard]] bool busy() const override { return outbox_ != nullptr; }
  [[nodiscard]] std::uint64_t bytes_written() const override;
  void shutdown() override;
  void close() override;
  void reset() override;
  [[nodiscard]] bool ended() const override { return eof_; }
  [[nodiscard]] bool peer_gone() const override;
  const Peer& peer() override;

  // Between close() and on_closed(), and before open().
  bool closing() const { return state_ != State::kOpen; }

  // The descriptor; -1 unless open.
  int fd() const;
  Loop& loop() const { return Loop::of(handle_.stream.loop); }
  const PeerAddress& peer_address() const { return peer_; }

 private:
  friend class Outbox;
  enum class State : std::uint8_t { kUnopened, kOpen, kClosing };
  union Handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer) noexcept;
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept;
  static void on_uv_closed(uv_handle_t* handle) noexcept;

  // Sends from the front of a and b until the socket is full; 0 or an error.
  int send_now(std::string_view& a, std::string_view& b);
  // The same with what a file slice follows.
  int send_head(std::string_view& head);
  // What a callback of the loop does for this stream. Without memory the stream fails with
  // UV_ENOMEM, and the handler closes it, as after any error.
  template <class Call>
  void guarded(const Call& call) noexcept {
    try {
      call();
    } catch (const std::bad_alloc&) {
      if (state_ == State::kOpen) handler_->on_error(fail(UV_ENOMEM));
    }
  }
  // What a write does; without memory it fails.
  template <class Call>
  int attempt(const Call& call) noexcept {
    try {
      return call();
    } catch (const std::bad_alloc&) {
      return fail(UV_ENOMEM);
    }
  }
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
  base::Ledger* ledger_ = nullptr;  // null: nothing is counted
  std::unique_ptr<Peer> peer_text_;
  std::uint64_t written_ = 0;
  PeerAddress peer_;
  int error_ = 0;
  base::Ledger::Kind kind_ = 0;
  State state_ = State::kUnopened;
  bool reading_ = false;
  bool eof_ = false;       // seen
  bool shutdown_ = false;  // asked for
};

}  // namespace httpuv::net
