// A certificate with its key and the rules for its handshakes, loaded: an SSL_CTX.
//
// What: made from files and never changed after; a renewed certificate is another Context.
// Thread: load() on any, it reads files; the rest on any.
// Ownership: shared by the Identity that is presented now and by the sessions that began with it.
// Failure: load() answers null and says what is wrong with which file.
#pragma once

#include <memory>
#include <string>

#include "net/tls/openssl/openssl.h"
#include "net/tls/session/settings.h"

namespace httpuv::net::tls {

class Context {
 public:
  static std::shared_ptr<const Context> load(const OpenSsl& api, const TlsSettings& settings,
                                             Fault* fault);
  Context(const OpenSsl& api, SSL_CTX* context) : api_(api), context_(context) {}
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] SSL_CTX* get() const { return context_; }
  // For SSL_set_verify(3).
  [[nodiscard]] int verify_mode() const { return verify_mode_; }
  // In PEM.
  [[nodiscard]] const std::string& certificate() const { return certificate_; }

 private:
  bool load_files(const TlsSettings& settings, Fault* fault);
  bool set_rules(const TlsSettings& settings, Fault* fault);
  bool load_clients_issuers(const TlsSettings& settings, Fault* fault);
  static int select_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* data) noexcept;

  const OpenSsl& api_;
  SSL_CTX* context_;
  int verify_mode_ = 0;
  std::string protocols_;  // each behind its length
  std::string certificate_;
};

}  // namespace httpuv::net::tls
