// What is known of the TLS session of a connection once its handshake is done.
//
// Plain data, immutable, shared by the connection and its requests; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace httpuv::net {

// The certificate that a client has shown and that was found good.
struct ClientCertificate {
  std::string subject;  // RFC 4514
  std::string issuer;   // RFC 4514
  std::string serial;   // hexadecimal
  std::string not_before;
  std::string not_after;
  std::vector<std::string> chain;  // PEM, the client's own first
};

struct TlsInfo {
  std::string version;                                    // "TLSv1.3"
  std::uint16_t version_number = 0;                       // 0x0304
  std::string cipher;                                     // as OpenSSL names it
  std::uint16_t cipher_number = 0;                        // of the IANA registry
  std::string protocol;                                   // ALPN; "" without
  std::string server_name;                                // SNI; "" without
  std::shared_ptr<const std::string> server_certificate;  // PEM
  bool resumed = false;
  bool has_client = false;
  ClientCertificate client;  // if has_client
};

}  // namespace httpuv::net
