// The Python class of certificates, and the facts about a TLS connection for applications.
//
// With the GIL held, which is released while files are read. A file that cannot be read raises
// OSError, a file with wrong content ValueError.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "server/message/message.h"
#include "server/message/tls.h"

namespace httpuv::python {

// Adds `find_openssl` and the class `Certificate`.
void register_certificates(pybind11::module_& module);

// Of pairs: a host, or "*" for all others, and its Certificate. Null: the list is empty.
std::shared_ptr<const server::Certificates> read_certificates(const pybind11::list& pairs);

// The TLS variables of a CGI environment, without HTTPS. The names are those of Apache's mod_ssl.
pybind11::dict tls_variables(const server::TlsInfo& info);

// The "tls" extension of an ASGI scope.
pybind11::dict tls_extension(const server::TlsInfo& info);

}  // namespace httpuv::python
