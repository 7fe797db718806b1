// The certificates of a server, for code that does not include net/: made from files, given to
// Settings.
//
// Thread: any; loading reads files. Ownership: shared. Failure: a CertificateFault.
#pragma once

#include <memory>
#include <string>

#include "net/stream/tls_info.h"
#include "net/tls/session/hosts.h"

namespace httpuv::server {

using TlsInfo = net::TlsInfo;
using CertificateSettings = net::tls::TlsSettings;
using CertificateFault = net::tls::Fault;
using ClientVerification = net::tls::Verify;
using Certificate = net::tls::Identity;
using Certificates = net::tls::Hosts;

// Finds the OpenSSL of the process: see net::tls::OpenSsl::load().
bool find_openssl(const std::string& module, unsigned long version, std::string* why);

// After find_openssl(). Null: see the fault.
std::shared_ptr<Certificate> load_certificate(CertificateSettings settings,
                                              CertificateFault* fault);

}  // namespace httpuv::server
