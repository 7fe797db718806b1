// A certificate as a server presents it over time: what httpuv.TLS is.
//
// What: the settings, the Context made of the files as they are now, and the keys of tickets. A
//   renewed certificate replaces the Context; sessions that began with the old one go on with it.
// Thread: any. open(), reload() and refresh() read files and may wait for a disk.
// Ownership: shared by the Python object and the servers.
// Failure: what cannot be loaded leaves what was there, and is told as a Fault.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>

#include "net/tls/session/context.h"
#include "net/tls/session/settings.h"
#include "net/tls/session/ticket_keys.h"

namespace httpuv::net::tls {

class Identity {
 public:
  enum class Outcome : std::uint8_t { kUnchanged, kReloaded, kFailed };

  static std::shared_ptr<Identity> open(const OpenSsl& api, TlsSettings settings, Fault* fault);
  Identity(const OpenSsl& api, TlsSettings settings) : api_(api), settings_(std::move(settings)) {}
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  [[nodiscard]] std::shared_ptr<const Context> current() const;
  // Reads the files again. False: they are no good, and what was there stays.
  bool reload(Fault* fault);
  // The same if they are not what they were at the last look, so that a fault is told once.
  Outcome refresh(Fault* fault);

  [[nodiscard]] const OpenSsl& api() const { return api_; }
  [[nodiscard]] const TlsSettings& settings() const { return settings_; }
  TicketKeys& tickets() { return tickets_; }

 private:
  // What tells one state of a file from another; all zero where there is none.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;  // certificate, key, issuers of clients' certificates

  static Stamp stamp_of(const std::string& file);
  [[nodiscard]] Stamps stamps() const;
  bool load(Fault* fault);

  const OpenSsl& api_;
  const TlsSettings settings_;
  TicketKeys tickets_;
  std::mutex loading_;  // one at a time; guards seen_
  Stamps seen_;
  mutable std::mutex mutex_;  // guards current_, and is never held for long
  std::shared_ptr<const Context> current_;
};

}  // namespace httpuv::net::tls
