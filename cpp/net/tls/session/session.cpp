#include "net/tls/session/session.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "net/tls/openssl/text.h"

namespace httpuv::net::tls {

namespace {
constexpr int kOwnData = 0;  // the index of SSL_set_app_data(3)
}  // namespace

// One for the process, as OpenSSL wants it.
const BIO_METHOD* Session::method(const OpenSsl& api) {
  static const BIO_METHOD* const kMethod = [&api]() -> const BIO_METHOD* {
    BIO_METHOD* const made =
        api.BIO_meth_new(api.BIO_get_new_index() | kBioTypeSourceSink, "httpuv");
    if (made == nullptr) return nullptr;
    api.BIO_meth_set_read(made, &Session::on_bio_read);
    api.BIO_meth_set_write(made, &Session::on_bio_write);
    api.BIO_meth_set_ctrl(made, &Session::on_bio_control);
    return made;
  }();
  return kMethod;
}

Session::Session(std::shared_ptr<const Hosts> hosts, std::string& output)
    : api_(hosts->other()->api()),
      hosts_(std::move(hosts)),
      context_(hosts_->other()->current()),
      output_(output) {
  api_.ERR_clear_error();
  const BIO_METHOD* const bio_method = method(api_);
  BIO* const bio = bio_method != nullptr ? api_.BIO_new(bio_method) : nullptr;
  if (bio == nullptr) return;
  api_.BIO_set_data(bio, this);
  api_.BIO_set_init(bio, 1);
  ssl_ = api_.SSL_new(context_->get());
  if (ssl_ == nullptr) {
    api_.BIO_free(bio);
    return;
  }
  api_.SSL_set_bio(ssl_, bio, bio);  // takes it
  api_.SSL_set_ex_data(ssl_, kOwnData, this);
  api_.SSL_set_accept_state(ssl_);
  if (!hosts_->resumes()) {
    api_.set_options(ssl_, kOpNoTicket);
    api_.SSL_set_num_tickets(ssl_, 0);
  }
}

Session::~Session() {
  if (ssl_ != nullptr) api_.SSL_free(ssl_);
}

Session* Session::of(const SSL* ssl) {
  return static_cast<Session*>(OpenSsl::loaded()->SSL_get_ex_data(ssl, kOwnData));
}

int Session::on_bio_read(BIO* bio, char* into, int size) noexcept {
  const OpenSsl& api = *OpenSsl::loaded();
  auto& self = *static_cast<Session*>(api.BIO_get_data(bio));
  api.BIO_clear_flags(bio, kBioFlagsRead | kBioFlagsShouldRetry);
  if (self.input_.empty()) {
    api.BIO_set_flags(bio, kBioFlagsRead | kBioFlagsShouldRetry);
    return -1;
  }
  const std::size_t count = std::min(self.input_.size(), static_cast<std::size_t>(size));
  std::memcpy(into, self.input_.data(), count);
  self.input_.remove_prefix(count);
  return static_cast<int>(count);
}

int Session::on_bio_write(BIO* bio, const char* bytes, int size) noexcept {
  const OpenSsl& api = *OpenSsl::loaded();
  auto& self = *static_cast<Session*>(api.BIO_get_data(bio));
  api.BIO_clear_flags(bio, kBioFlagsRead | kBioFlagsShouldRetry);
  try {
    self.output_.append(bytes, static_cast<std::size_t>(size));
  } catch (const std::bad_alloc&) {
    return -1;  // no retry: the session fails
  }
  return size;
}

long Session::on_bio_control(BIO*, int command, long, void*) noexcept {
  return command == kBioCtrlFlush ? 1 : 0;
}

// Presents the certificate of the host that the client has named.
int Session::on_server_name(SSL* ssl, int*, void*) noexcept {
  Session* const self = of(ssl);
  if (self == nullptr) return kTlsextNoAck;
  const char* const name = self->api_.SSL_get_servername(ssl, kServerNameTypeHost);
  if (name == nullptr) return kTlsextNoAck;
  const std::shared_ptr<Identity>& identity = self->hosts_->find(name);
  if (identity != self->hosts_->other()) {
    std::shared_ptr<const Context> context = identity->current();
    if (self->api_.SSL_set_SSL_CTX(ssl, context->get()) == nullptr) return kTlsextAlertFatal;
    // The context does not bring it along.
    self->api_.SSL_set_verify(ssl, context->verify_mode(), nullptr);
    self->context_ = std::move(context);
  }
  return kTlsextOk;
}

bool Session::has_pending() const {
  return !input_.empty() || api_.SSL_has_pending(ssl_) == 1;
}

Session::Status Session::outcome(int result) {
  switch (api_.SSL_get_error(ssl_, result)) {
    case kErrorNone:
      return Status::kDone;
    case kErrorWantRead:
      return Status::kMore;
    case kErrorZeroReturn:
      return Status::kClosed;
    default:
      error_ = api_.take_error();
      if (error_.empty()) error_ = "the connection broke off";
      return Status::kFailed;
  }
}

Session::Status Session::handshake() {
  api_.ERR_clear_error();
  const int result = api_.SSL_do_handshake(ssl_);
  return result == 1 ? Status::kDone : outcome(result);
}

Session::Status Session::read(std::span<char> into, std::size_t* count) {
  api_.ERR_clear_error();
  *count = 0;
  const int result = api_.SSL_read_ex(ssl_, into.data(), into.size(), count);
  return result == 1 ? Status::kDone : outcome(result);
}

Session::Status Session::write(std::string_view content) {
  api_.ERR_clear_error();
  std::size_t count = 0;
  const int result = api_.SSL_write_ex(ssl_, content.data(), content.size(), &count);
  if (result == 1) return Status::kDone;
  // Without renegotiation a write never waits for the peer.
  if (outcome(result) != Status::kFailed) error_ = "a write waits for the peer";
  return Status::kFailed;
}

void Session::end() {
  api_.ERR_clear_error();
  api_.SSL_shutdown(ssl_);
  api_.ERR_clear_error();
}

std::shared_ptr<const TlsInfo> Session::describe() const {
  auto info = std::make_shared<TlsInfo>();
  info->version = api_.SSL_get_version(ssl_);
  info->version_number = static_cast<std::uint16_t>(api_.SSL_version(ssl_));
  if (const SSL_CIPHER* const cipher = api_.SSL_get_current_cipher(ssl_)) {
    info->cipher = api_.SSL_CIPHER_get_name(cipher);
    info->cipher_number = api_.SSL_CIPHER_get_protocol_id(cipher);
  }
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  api_.SSL_get0_alpn_selected(ssl_, &protocol, &size);
  if (protocol != nullptr) info->protocol.assign(reinterpret_cast<const char*>(protocol), size);
  if (const char* const name = api_.SSL_get_servername(ssl_, kServerNameTypeHost)) {
    info->server_name = name;
  }
  info->server_certificate = {context_, &context_->certificate()};
  info->resumed = api_.SSL_session_reused(ssl_) == 1;
  if (context_->verify_mode() != 0) {
    if (X509* const certificate = api_.SSL_get1_peer_certificate(ssl_)) {
      info->has_client = true;
      info->client = tls::describe(api_, certificate, api_.SSL_get_peer_cert_chain(ssl_));
      api_.X509_free(certificate);
    }
  }
  return info;
}

}  // namespace httpuv::net::tls
