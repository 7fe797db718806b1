#include "server/message/tls.h"

#include <utility>

#include "net/tls/openssl/openssl.h"

namespace httpuv::server {

bool find_openssl(const std::string& module, unsigned long version, std::string* why) {
  return net::tls::OpenSsl::load(module, version, why) != nullptr;
}

std::shared_ptr<Certificate> load_certificate(CertificateSettings settings,
                                              CertificateFault* fault) {
  return Certificate::open(*net::tls::OpenSsl::loaded(), std::move(settings), fault);
}

}  // namespace httpuv::server
