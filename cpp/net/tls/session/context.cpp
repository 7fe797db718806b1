#include "net/tls/session/context.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "net/tls/openssl/text.h"
#include "net/tls/session/session.h"
#include "net/tls/session/ticket_keys.h"

namespace httpuv::net::tls {

namespace {

// TLS 1.2 with forward secrecy and authenticated encryption: what Mozilla's intermediate
// recommendation keeps of it.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";

struct Password {
  const TlsSettings& settings;
  bool asked = false;
};

int give_password(char* into, int size, int, void* data) noexcept {
  auto& password = *static_cast<Password*>(data);
  password.asked = true;
  const std::string& text = password.settings.password;
  if (!password.settings.has_password || text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(into, text.data(), text.size());
  return static_cast<int>(text.size());
}

// Whether a file can be read; OpenSSL's own errors do not tell that plainly.
bool readable(const std::string& file, Fault* fault) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char byte = 0;
  const bool good = fd >= 0 && ::read(fd, &byte, 1) >= 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!good) *fault = {error, file, "cannot be read"};
  return good;
}

}  // namespace

Context::~Context() {
  api_.SSL_CTX_free(context_);
}

std::shared_ptr<const Context> Context::load(const OpenSsl& api, const TlsSettings& settings,
                                             Fault* fault) {
  api.ERR_clear_error();
  SSL_CTX* const made = api.SSL_CTX_new(api.TLS_server_method());
  if (made == nullptr) {
    *fault = {ENOMEM, settings.certificate_file, api.take_error()};
    return nullptr;
  }
  auto context = std::make_shared<Context>(api, made);
  const bool good = context->load_files(settings, fault) && context->set_rules(settings, fault) &&
                    context->load_clients_issuers(settings, fault);
  api.ERR_clear_error();
  return good ? context : nullptr;
}

bool Context::load_files(const TlsSettings& settings, Fault* fault) {
  const std::string& certificate = settings.certificate_file;
  const std::string& key = settings.key_file;
  if (!readable(certificate, fault) || !readable(key, fault)) return false;
  if (api_.SSL_CTX_use_certificate_chain_file(context_, certificate.c_str()) != 1) {
    *fault = {0, certificate, "has no certificate in PEM form that can be used"};
    const std::string why = api_.take_error();
    if (!why.empty()) fault->text += " (" + why + ")";
    return false;
  }
  Password password{settings};
  api_.SSL_CTX_set_default_passwd_cb(context_, &give_password);
  api_.SSL_CTX_set_default_passwd_cb_userdata(context_, &password);
  const bool has_key = api_.SSL_CTX_use_PrivateKey_file(context_, key.c_str(), kFileTypePem) == 1;
  const std::string why = api_.take_error();
  api_.SSL_CTX_set_default_passwd_cb_userdata(context_, nullptr);
  api_.SSL_CTX_set_default_passwd_cb(context_, nullptr);
  if (has_key && api_.SSL_CTX_check_private_key(context_) == 1) {
    certificate_ = pem_of(api_, api_.SSL_CTX_get0_certificate(context_));
    return true;
  }
  *fault = {0, key, ""};
  if (has_key || why.find("mismatch") != std::string::npos) {
    fault->text = "is not the key of the certificate in " + certificate;
  } else if (password.asked && !settings.has_password) {
    fault->text = "is encrypted: give its password";
  } else if (password.asked) {
    fault->text = "is encrypted with another password than the one given";
  } else {
    fault->text = "has no private key in PEM form that can be used";
    if (!why.empty()) fault->text += " (" + why + ")";
  }
  return false;
}

bool Context::set_rules(const TlsSettings& settings, Fault* fault) {
  const std::string& ciphers = settings.ciphers;
  if (api_.SSL_CTX_set_cipher_list(context_, ciphers.empty() ? kCiphers : ciphers.c_str()) != 1) {
    *fault = {0, "", "ciphers: OpenSSL knows none of '" + ciphers + "' (see ciphers(1))"};
    return false;
  }
  if (!settings.ciphersuites.empty() &&
      api_.SSL_CTX_set_ciphersuites(context_, settings.ciphersuites.c_str()) != 1) {
    *fault = {0, "", "ciphers: OpenSSL knows none of '" + settings.ciphersuites + "'"};
    return false;
  }
  api_.SSL_CTX_ctrl(context_, kCtrlMinProtocol, settings.only_tls13 ? kTls13 : kTls12, nullptr);
  api_.set_options(context_, kOpNoCompression | kOpNoRenegotiation | kOpCipherServerPreference |
                                 kOpPrioritizeChaCha);
  // A connection that is idle has no buffers.
  api_.SSL_CTX_ctrl(context_, kCtrlMode, kModeReleaseBuffers, nullptr);
  // Sessions are kept by clients, in tickets; nothing is stored here.
  api_.SSL_CTX_ctrl(context_, kCtrlSessionCacheMode, kSessionCacheOff, nullptr);
  constexpr unsigned char kContextName[] = "httpuv";
  api_.SSL_CTX_set_session_id_context(context_, kContextName, sizeof kContextName - 1);
  TicketKeys::install(api_, context_);
  api_.SSL_CTX_callback_ctrl(context_, kCtrlServerNameCallback,
                             reinterpret_cast<AnyCallback>(&Session::on_server_name));
  for (const std::string& name : settings.alpn) {
    protocols_ += static_cast<char>(name.size());
    protocols_ += name;
  }
  // A client that names HTTP/1.0 is served as well: it is the same protocol here.
  if (std::find(settings.alpn.begin(), settings.alpn.end(), "http/1.1") != settings.alpn.end()) {
    protocols_ += "\x08http/1.0";
  }
  if (!protocols_.empty()) {
    api_.SSL_CTX_set_alpn_select_cb(context_, &Context::select_protocol, &protocols_);
  }
  return true;
}

bool Context::load_clients_issuers(const TlsSettings& settings, Fault* fault) {
  if (settings.verify == Verify::kNone) return true;
  const std::string& file = settings.ca_file;
  if (!readable(file, fault)) return false;
  X509_NAMES* const names = api_.SSL_CTX_load_verify_locations(context_, file.c_str(), nullptr) == 1
                                ? api_.SSL_load_client_CA_file(file.c_str())
                                : nullptr;
  if (names == nullptr) {
    *fault = {0, file, "has no certificates in PEM form that can be used"};
    return false;
  }
  api_.SSL_CTX_set_client_CA_list(context_, names);  // takes them
  verify_mode_ = kVerifyPeer | (settings.verify == Verify::kRequired ? kVerifyFailIfNoPeerCert : 0);
  api_.SSL_CTX_set_verify(context_, verify_mode_, nullptr);
  return true;
}

// The first of ours that the client offers, too. Without one the handshake fails (RFC 7301 section
// 3.2).
int Context::select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* data) noexcept {
  const std::string_view ours = *static_cast<const std::string*>(data);
  const std::string_view theirs(reinterpret_cast<const char*>(in), in_size);
  const auto size_at = [](std::string_view list, std::size_t at) {
    return std::size_t{static_cast<unsigned char>(list[at])};
  };
  for (std::size_t i = 0; i < ours.size(); i += 1 + size_at(ours, i)) {
    const std::string_view wanted = ours.substr(i + 1, size_at(ours, i));
    for (std::size_t j = 0; j < theirs.size(); j += 1 + size_at(theirs, j)) {
      if (theirs.substr(j + 1, size_at(theirs, j)) != wanted) continue;
      *out = in + j + 1;
      *out_size = in[j];
      return kTlsextOk;
    }
  }
  return kTlsextAlertFatal;
}

}  // namespace httpuv::net::tls
