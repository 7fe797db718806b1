// One accepted connection with TLS on it: the Transport of a server that has a certificate.
//
// What: a Session between a Stream, which has the socket, and the handler. What is to be sent waits
//   as it was given, and is sealed only as the socket takes it, so that a peer that does not read
//   costs one sealed piece beyond what any transport holds. Files are read in pieces; what is not
//   in the page cache is read on a disk thread.
//   The peer's close_notify is its end; its FIN without one is a broken connection (RFC 8446
//   section 6.1). A peer that speaks plain HTTP is told so, and one that fails the handshake is
//   sent the alert, and has a moment to read it.
// Thread: the loop thread alone.
// Ownership, failure and callbacks: see Transport. UV_EPROTO: the peer does not keep to TLS.
// More than 25 members and methods, because it is a whole Transport above a whole StreamHandler,
// with a state for each direction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "net/loop/timer_wheel.h"
#include "net/stream/chunks.h"
#include "net/stream/disk_read.h"
#include "net/stream/stream.h"
#include "net/stream/transport.h"
#include "net/tls/endpoint.h"
#include "net/tls/session/session.h"

namespace httpuv::net::tls {

class TlsStream final : public Transport,
                        private StreamHandler,
                        private DeadlineOwner,
                        private TurnTask {
 public:
  // What a session takes of memory, in OpenSSL's hands: while it begins, with buffers for records
  // and for a first message of the longest that is allowed; and when it is idle.
  static constexpr std::size_t kHandshakeCost = std::size_t{64} * 1024;
  static constexpr std::size_t kCost = std::size_t{16} * 1024;

  explicit TlsStream(Endpoint& endpoint);
  ~TlsStream() override = default;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Takes the connection; the handshake begins. On error (out of memory) the stream is closing
  // already: on_closed() follows.
  int open(Accepted&& accepted, StreamHandler* handler);

  void charge_to(base::Ledger& ledger, base::Ledger::Kind kind) override;
  void start_reading() override;
  void stop_reading() override;
  [[nodiscard]] bool reading() const override { return reading_; }
  int write(std::string_view a, std::string_view b = {}) override;
  int write_owned(std::string_view head, std::string&& body) override;
  int write_shared(std::string_view head, std::string_view body,
                   const std::shared_ptr<const void>& owner, std::size_t held = 0) override;
  int send_file(std::string_view head, FileRef file, std::uint64_t offset,
                std::uint64_t length) override;
  [[nodiscard]] std::size_t queued() const override { return chunks_.bytes() + raw_.queued(); }
  [[nodiscard]] bool busy() const override { return !chunks_.empty() || raw_.busy(); }
  [[nodiscard]] std::uint64_t bytes_written() const override { return raw_.bytes_written(); }
  void shutdown() override;
  void close() override;
  void reset() override;
  [[nodiscard]] bool ended() const override { return eof_; }
  [[nodiscard]] bool peer_gone() const override { return error_ != 0 || raw_.peer_gone(); }
  const Peer& peer() override { return raw_.peer(); }
  [[nodiscard]] std::shared_ptr<const TlsInfo> tls() const override { return info_; }

 private:
  enum class State : std::uint8_t {
    kBeginning,  // not enough has come to tell what the peer speaks
    kHandshake,
    kOpen,
    kRefused,  // all is said, and what still comes is dropped
  };

  void on_data(std::string_view data) override;
  void on_eof() override;
  void on_error(int error) noexcept override;
  void on_drained() override;
  void on_closed() noexcept override { handler_->on_closed(); }  // may destroy this
  void on_deadline(Deadline& deadline) noexcept override;
  void run_turn() noexcept override;
  void go_on_reading();

  // What is called for this connection; without memory it fails, and nothing of it stays in what it
  // shares with the others.
  template <class Call>
  void guarded(const Call& call) noexcept {
    try {
      call();
    } catch (const std::bad_alloc&) {
      fail(UV_ENOMEM);
      if (!raw_.closing()) handler_->on_error(error_);
    }
  }
  template <class Call>
  int attempt(const Call& call) noexcept {
    try {
      return call();
    } catch (const std::bad_alloc&) {
      return fail(UV_ENOMEM);
    }
  }

  // Reading.
  void take_in(std::string_view input);
  bool begin(std::string_view* input);
  bool shake_hands();
  void deliver();
  void refuse(std::string_view last_words, std::string_view reason);

  // Writing.
  [[nodiscard]] int refusal() const;
  [[nodiscard]] bool writes_at_once(std::size_t bytes) const;
  int seal(std::string_view a, std::string_view b);
  int start();
  int pump();
  int seal_front();
  int gather(std::size_t* filled);
  int flush();
  int end_sending();
  void read_on_disk_thread(const Chunks::FileRange& range);
  void disk_read_done(DiskRead& read);
  void tell_failed(std::string_view why) noexcept;
  void go_on();

  void hold(std::string&& bytes);
  void stop();
  int fail(int error) noexcept;

  Endpoint& endpoint_;
  Stream raw_;
  Session session_;
  StreamHandler* handler_ = nullptr;
  Deadline deadline_{this};              // of the handshake, or of the last words
  base::Charge charge_;                  // of the session and what is held
  Chunks chunks_;                        // not sealed yet
  std::string held_;                     // sealed by the peer, and not read yet
  std::shared_ptr<DiskRead> disk_read_;  // under way
  std::shared_ptr<const TlsInfo> info_;
  std::size_t said_ = 0;    // by OpenSSL itself, while the socket takes nothing
  std::size_t budget_ = 0;  // what may still be sealed in this turn
  int error_ = 0;
  State state_ = State::kBeginning;
  bool reading_ = false;
  bool peer_ended_ = false;  // its close_notify has come
  bool eof_ = false;         // and the handler knows
  bool shutdown_ = false;    // asked for
  bool sent_end_ = false;    // our close_notify
};

}  // namespace httpuv::net::tls
