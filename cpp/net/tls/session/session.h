// One TLS connection without a socket: bytes of the peer in, bytes for the peer out.
//
// What: an SSL object on a BIO of our own, which reads from what was fed and writes to a string.
//   Server side.
// Thread: one at a time; OpenSSL's errors are those of the thread that calls.
// Ownership: by a TlsStream. Shares its certificate with the server.
// Failure: kFailed, with error() as text; what output() holds then, an alert, may still be sent.
//   Nothing may be called after that but output() and the destructor.
// More than 25 members and methods, because the callbacks of OpenSSL are static functions of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/stream/tls_info.h"
#include "net/tls/openssl/openssl.h"
#include "net/tls/session/hosts.h"

namespace httpuv::net::tls {

class Session {
 public:
  enum class Status : std::uint8_t {
    kDone,
    kMore,    // what was fed is used up
    kClosed,  // the peer has said that nothing follows
    kFailed,
  };

  // `output`: what is to be sent is appended to it; the caller takes it out.
  Session(std::shared_ptr<const Hosts> hosts, std::string& output);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // False: there was no memory; nothing else may be called then.
  [[nodiscard]] bool valid() const { return ssl_ != nullptr; }

  // Bytes of the peer, which must stay while they are read from.
  void feed(std::string_view input) { input_ = input; }
  // Those that were not used.
  [[nodiscard]] std::string_view unread() const { return input_; }
  // Whether there is something to read that was fed before.
  [[nodiscard]] bool has_pending() const;

  Status handshake();
  // kDone: *count bytes of content.
  Status read(std::span<char> into, std::size_t* count);
  // Seals all of it. kDone or kFailed.
  Status write(std::string_view content);
  // Says that nothing follows (close_notify).
  void end();

  // Once the handshake is done.
  [[nodiscard]] std::shared_ptr<const TlsInfo> describe() const;
  [[nodiscard]] const std::string& error() const { return error_; }

  // For OpenSSL's callbacks.
  static Session* of(const SSL* ssl);
  static int on_server_name(SSL* ssl, int* alert, void* argument) noexcept;
  [[nodiscard]] const OpenSsl& api() const { return api_; }
  [[nodiscard]] TicketKeys* ticket_keys() const { return &hosts_->other()->tickets(); }

 private:
  static const BIO_METHOD* method(const OpenSsl& api);
  static int on_bio_read(BIO* bio, char* into, int size) noexcept;
  static int on_bio_write(BIO* bio, const char* bytes, int size) noexcept;
  static long on_bio_control(BIO* bio, int command, long number, void* pointer) noexcept;
  Status outcome(int result);

  const OpenSsl& api_;
  const std::shared_ptr<const Hosts> hosts_;
  std::shared_ptr<const Context> context_;  // the one in use
  std::string& output_;
  std::string_view input_;
  SSL* ssl_ = nullptr;
  std::string error_;
};

}  // namespace httpuv::net::tls
