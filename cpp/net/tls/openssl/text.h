// Certificates as text.
//
// Thread: any. Failure: what cannot be written is "".
#pragma once

#include <string>

#include "net/stream/tls_info.h"
#include "net/tls/openssl/openssl.h"

namespace httpuv::net::tls {

std::string pem_of(const OpenSsl& api, X509* certificate);

// What is told of the certificate of the client of a session, which was found good.
ClientCertificate describe(const OpenSsl& api, X509* certificate, const X509_CHAIN* chain);

}  // namespace httpuv::net::tls
