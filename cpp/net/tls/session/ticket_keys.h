// The keys that session tickets (RFC 5077, RFC 8446 section 4.6.1) are sealed with.
//
// What: a key an hour; those of the last hours still open tickets, which are then renewed. No key
//   outlives that, so that a stolen one opens little of what was recorded.
// Thread: any; a mutex guards the ring.
// Ownership: by an Identity, across reloads, so that tickets stay good when a certificate changes.
//   Processes that share an address are given the same keys (take()), so that a ticket of one is
//   good at the others; the one that gives them replaces them in time.
// Failure: without random bytes no ticket is issued.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

#include "net/tls/openssl/openssl.h"

namespace httpuv::net::tls {

class TicketKeys {
 public:
  using Clock = std::chrono::steady_clock;

  using Now = std::function<Clock::time_point()>;

  explicit TicketKeys(Clock::duration period = std::chrono::hours(1), Now now = &Clock::now)
      : period_(period), now_(std::move(now)) {}
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Has the tickets of a context sealed with Session::ticket_keys().
  static void install(const OpenSsl& api, SSL_CTX* context);

  // Uses these keys from now on, the newest first: 1 to kKeys of kKeySize bytes each. They are good
  // for a period longer than own ones, so that they are replaced before. False: they are none.
  bool take(std::string_view keys);
  static constexpr std::size_t kKeys = 3;  // a ticket is good for two hours
  static constexpr std::size_t kKeySize = 80;

  // What the callbacks of OpenSSL do: prepares both contexts. As SSL_CTX_set_tlsext_ticket_key_cb
  // (3) returns: 1 go on, 2 go on and renew, 0 no such key, -1 failed.
  template <class Mac>
  int prepare(const OpenSsl& api, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              Mac* mac, bool sealing);

 private:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };
  static_assert(sizeof(Key) == kKeySize);

  bool rotate(const OpenSsl& api);

  const Clock::duration period_;
  const Now now_;
  std::mutex mutex_;
  std::array<Key, kKeys> keys_;  // the newest first
  std::size_t count_ = 0;
  Clock::time_point made_;
};

}  // namespace httpuv::net::tls
