// Certificates of servers as Python has them, and what is told of a connection that has TLS.
//
// With the GIL held, which is given up while files are read. What is wrong with a file is raised:
// OSError if it cannot be read, ValueError for what is in it.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "server/message.h"
#include "server/tls.h"

namespace httpuv::python {

// Adds `find_openssl` and the class `Certificate`.
void register_certificates(pybind11::module_& module);

// Of pairs: a host, or "*" for all others, and its Certificate. Null: the list is empty.
std::shared_ptr<const server::Certificates> read_certificates(const pybind11::list& pairs);

// What a CGI environment has of TLS: HTTPS aside, which is the server's. Names as those of Apache's
// mod_ssl.
pybind11::dict tls_variables(const server::TlsInfo& info);

// The "tls" extension of an ASGI scope.
pybind11::dict tls_extension(const server::TlsInfo& info);

}  // namespace httpuv::python
