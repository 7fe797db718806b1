#include "net/tls/openssl/text.h"

#include <array>

namespace httpuv::net::tls {

namespace {

// What `write` writes.
template <class Write>
std::string text_of(const OpenSsl& api, Write write) {
  std::string result;
  BIO* const memory = api.BIO_new(api.BIO_s_mem());
  if (memory == nullptr) return result;
  if (write(memory) > 0) {
    std::array<char, 4096> piece;
    int count = 0;
    while ((count = api.BIO_read(memory, piece.data(), piece.size())) > 0) {
      result.append(piece.data(), static_cast<std::size_t>(count));
    }
  }
  api.BIO_free(memory);
  return result;
}

}  // namespace

std::string pem_of(const OpenSsl& api, X509* certificate) {
  if (certificate == nullptr) return "";
  return text_of(api, [&](BIO* into) { return api.PEM_write_bio_X509(into, certificate); });
}

ClientCertificate describe(const OpenSsl& api, X509* certificate, const X509_CHAIN* chain) {
  const auto name = [&](const X509_NAME* of) {
    return text_of(api, [&](BIO* into) {
      // 0 is what an empty name returns, and writes nothing.
      return api.X509_NAME_print_ex(into, of, 0, kNameRfc2253);
    });
  };
  const auto time = [&](const ASN1_TIME* of) {
    return text_of(api, [&](BIO* into) { return api.ASN1_TIME_print(into, of); });
  };
  ClientCertificate result;
  result.subject = name(api.X509_get_subject_name(certificate));
  result.issuer = name(api.X509_get_issuer_name(certificate));
  result.serial = text_of(api, [&](BIO* into) {
    return api.i2a_ASN1_INTEGER(into, api.X509_get_serialNumber(certificate));
  });
  result.not_before = time(api.X509_get0_notBefore(certificate));
  result.not_after = time(api.X509_get0_notAfter(certificate));
  result.chain.push_back(pem_of(api, certificate));
  // A server's list of what was received does not have the client's own (SSL_get_peer_cert_chain
  // (3)).
  for (int i = 0; chain != nullptr && i < api.OPENSSL_sk_num(chain); ++i) {
    result.chain.push_back(pem_of(api, static_cast<X509*>(api.OPENSSL_sk_value(chain, i))));
  }
  return result;
}

}  // namespace httpuv::net::tls
