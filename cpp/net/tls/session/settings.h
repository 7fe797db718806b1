// How one certificate of a server is presented: what httpuv.TLS describes.
//
// Plain data; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace httpuv::net::tls {

enum class Verify : std::uint8_t { kNone, kOptional, kRequired };

struct TlsSettings {
  std::string certificate_file;  // PEM, the server's own first, then its issuers
  std::string key_file;          // PEM
  std::string password;          // of the key
  bool has_password = false;
  std::string ca_file;  // PEM: the issuers of clients' certificates
  Verify verify = Verify::kNone;
  bool only_tls13 = false;
  std::string ciphers;            // up to TLS 1.2, as OpenSSL's ciphers(1); "" for the default
  std::string ciphersuites;       // TLS 1.3; "" for OpenSSL's
  std::vector<std::string> alpn;  // in the order of preference; none: not negotiated
};

// Why a certificate cannot be used: one line that names the file.
struct Fault {
  int error = 0;  // errno where the system has one; else 0: the contents are wrong
  std::string file;
  std::string text;
};

}  // namespace httpuv::net::tls
