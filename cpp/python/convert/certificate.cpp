#include "python/convert/certificate.h"

#include <pybind11/stl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using CertificatePtr = std::shared_ptr<server::Certificate>;

[[noreturn]] void throw_fault(const server::CertificateFault& fault) {
  if (fault.error != 0) {
    PyErr_SetObject(
        PyExc_OSError,
        py::make_tuple(fault.error, py::str(std::strerror(fault.error)), fault.file).ptr());
    throw py::error_already_set();
  }
  throw py::value_error(fault.file.empty() ? fault.text : fault.file + " " + fault.text);
}

server::ClientVerification verification_of(const std::string& name) {
  if (name == "none") return server::ClientVerification::kNone;
  if (name == "optional") return server::ClientVerification::kOptional;
  if (name == "required") return server::ClientVerification::kRequired;
  throw py::value_error("unknown verification: " + name);
}

CertificatePtr load(const py::dict& given) {
  server::CertificateSettings settings;
  settings.certificate_file = given["certfile"].cast<std::string>();
  settings.key_file = given["keyfile"].cast<std::string>();
  settings.has_password = !given["password"].is_none();
  if (settings.has_password) settings.password = given["password"].cast<std::string>();
  settings.ca_file = given["ca_certs"].cast<std::string>();
  settings.verify = verification_of(given["verify"].cast<std::string>());
  settings.only_tls13 = given["only_tls13"].cast<bool>();
  settings.ciphers = given["ciphers"].cast<std::string>();
  settings.ciphersuites = given["ciphersuites"].cast<std::string>();
  settings.alpn = given["alpn"].cast<std::vector<std::string>>();
  server::CertificateFault fault;
  CertificatePtr certificate;
  {
    const GilRelease release;
    certificate = server::load_certificate(std::move(settings), &fault);
  }
  if (certificate == nullptr) throw_fault(fault);
  return certificate;
}

void reload(server::Certificate& certificate) {
  server::CertificateFault fault;
  bool good = false;
  {
    const GilRelease release;
    good = certificate.reload(&fault);
  }
  if (!good) throw_fault(fault);
}

void take_ticket_keys(server::Certificate& certificate, const py::bytes& keys) {
  if (!certificate.tickets().take(std::string_view(keys))) {
    throw py::value_error("ticket keys must be 1 to 3 of 80 bytes each");
  }
}

}  // namespace

void register_certificates(py::module_& module) {
  module.def(
      "find_openssl",
      [](const std::string& path, unsigned long version) {
        std::string why;
        server::find_openssl(path, version, &why);
        return why;
      },
      py::arg("module"), py::arg("version"));
  py::class_<server::Certificate, CertificatePtr>(module, "Certificate")
      .def(py::init(&load), py::arg("settings"))
      .def("reload", &reload)
      .def("take_ticket_keys", &take_ticket_keys, py::arg("keys"));
}

std::shared_ptr<const server::Certificates> read_certificates(const py::list& pairs) {
  CertificatePtr other;
  std::vector<server::Certificates::Entry> named;
  for (const py::handle pair : pairs) {
    auto [host, certificate] = pair.cast<std::pair<std::string, CertificatePtr>>();
    if (host == "*") {
      other = std::move(certificate);
    } else {
      named.emplace_back(std::move(host), std::move(certificate));
    }
  }
  if (other == nullptr && !named.empty()) other = named.front().second;
  if (other == nullptr) return nullptr;
  return std::make_shared<const server::Certificates>(std::move(other), std::move(named));
}

py::dict tls_variables(const server::TlsInfo& info) {
  py::dict result;
  const auto latin1 = [](const std::string& text) {
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
  };
  result["SSL_PROTOCOL"] = latin1(info.version);
  result["SSL_CIPHER"] = latin1(info.cipher);
  if (!info.server_name.empty()) result["SSL_TLS_SNI"] = latin1(info.server_name);
  result["SSL_CLIENT_VERIFY"] = info.has_client ? "SUCCESS" : "NONE";
  if (info.has_client) {
    const auto& client = info.client;
    result["SSL_CLIENT_S_DN"] = latin1(client.subject);
    result["SSL_CLIENT_I_DN"] = latin1(client.issuer);
    result["SSL_CLIENT_M_SERIAL"] = latin1(client.serial);
    result["SSL_CLIENT_V_START"] = latin1(client.not_before);
    result["SSL_CLIENT_V_END"] = latin1(client.not_after);
    result["SSL_CLIENT_CERT"] = latin1(client.chain.front());
  }
  return result;
}

py::dict tls_extension(const server::TlsInfo& info) {
  py::dict result;
  result["server_cert"] = *info.server_certificate;
  result["client_cert_chain"] = py::tuple(py::cast(info.client.chain));
  result["client_cert_name"] =
      info.has_client ? py::object(py::str(info.client.subject)) : py::none();
  result["client_cert_error"] = py::none();  // one that is not good ends the handshake
  result["tls_version"] = info.version_number;
  result["cipher_suite"] = info.cipher_number;
  return result;
}

}  // namespace httpuv::python
