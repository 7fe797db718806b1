// The shared state of the TLS connections of a server on one loop.
//
// What: the certificates, the buffers that one connection at a time uses, and a look at
//   the files of the certificates while connections come: what has changed is read in a disk's
//   lane, so that later connections are shown the new certificate. Nothing wakes an idle server.
// Thread: the loop thread.
// Ownership: by the server's loop; outlives its streams.
// Failure: told to the observer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "net/listen/address.h"
#include "net/loop/reactor.h"
#include "net/stream/tls_info.h"
#include "net/tls/session/hosts.h"

namespace httpuv::net::tls {

class Observer {
 public:
  virtual void handshake_done(const TlsInfo& info) = 0;
  virtual void handshake_failed(const Peer& peer, std::string_view reason) = 0;
  // Files have changed: the certificate is in use, or it is no good and the one before stays.
  virtual void certificate_renewed(const std::string& file) = 0;
  virtual void certificate_failed(const Fault& fault) = 0;

 protected:
  virtual ~Observer() = default;
};

class Endpoint {
 public:
  static constexpr std::size_t kRecord = std::size_t{16} * 1024;  // RFC 8446 section 5.1
  static constexpr std::size_t kPiece = 4 * kRecord;              // sealed or opened at a time

  // What the sessions hold is charged to that kind of the ledger.
  Endpoint(Reactor& reactor, std::shared_ptr<const Hosts> hosts, std::int64_t handshake_timeout_ms,
           Observer& observer, base::Ledger& ledger, base::Ledger::Kind kind);

  [[nodiscard]] const std::shared_ptr<const Hosts>& hosts() const { return hosts_; }
  [[nodiscard]] std::int64_t handshake_timeout() const { return handshake_timeout_ms_; }
  Observer& observer() { return observer_; }
  [[nodiscard]] base::Charge charge(std::size_t bytes) { return {ledger_, kind_, bytes}; }

  // For what was opened, and for what is to be sealed.
  std::span<char> opened() { return {opened_.get(), kPiece}; }
  std::span<char> gathered() { return {gathered_.get(), kPiece}; }
  // Empty but while a session works.
  std::string& sealed() { return sealed_; }

  // A connection has come.
  void look();

 private:
  static constexpr std::int64_t kLookMs = 2000;
  struct Findings;

  Reactor& reactor_;
  const std::shared_ptr<const Hosts> hosts_;
  const std::int64_t handshake_timeout_ms_;
  Observer& observer_;
  base::Ledger& ledger_;
  const base::Ledger::Kind kind_;
  std::unique_ptr<char[]> opened_;
  std::unique_ptr<char[]> gathered_;
  std::string sealed_;
  std::int64_t looked_ms_;
  bool looking_ = false;
};

}  // namespace httpuv::net::tls
