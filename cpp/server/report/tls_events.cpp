#include "server/report/tls_events.h"

#include <string>
#include <utility>

#include "server/connection/connection.h"
#include "server/report/errors.h"

namespace httpuv::server {

std::unique_ptr<TlsEvents> TlsEvents::make(Context& context) {
  return context.settings.tls != nullptr ? std::make_unique<TlsEvents>(context) : nullptr;
}

TlsEvents::TlsEvents(Context& context)
    : context_(context),
      endpoint_(context.loop, context.settings.tls, context.limits.tls_handshake_timeout, *this,
                context.budget, Budget::kind_of(Held::kTls)) {}

void TlsEvents::handshake_done(const net::TlsInfo& info) {
  context_.counters.tls_handshakes.add();
  if (info.resumed) context_.counters.tls_resumed.add();
}

void TlsEvents::handshake_failed(const net::Peer& peer, std::string_view reason) {
  context_.counters.tls_failures.add();
  context_.refusals.tell(context_, peer, "a TLS handshake", reason);
}

void TlsEvents::certificate_renewed(const std::string& file) {
  context_.events.emplace_back(
      NoticeEvent{NoticeLevel::kInfo, "the certificate in " + file + " was renewed"});
}

void TlsEvents::certificate_failed(const net::tls::Fault& fault) {
  std::string text = "the certificate before stays in use: " + fault.file;
  if (fault.error != 0) {
    text += " cannot be read: " + error_text(-fault.error);
  } else {
    text += " " + fault.text;
  }
  context_.events.emplace_back(NoticeEvent{NoticeLevel::kError, std::move(text)});
}

}  // namespace httpuv::server
