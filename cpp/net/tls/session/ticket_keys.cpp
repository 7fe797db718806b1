#include "net/tls/session/ticket_keys.h"

#include <algorithm>
#include <cstring>

#include "net/tls/session/session.h"

namespace httpuv::net::tls {

namespace {

constexpr int kIvSize = 16;

bool set_mac_key(const OpenSsl& api, EVP_MAC_CTX* mac, unsigned char* key, std::size_t size) {
  // OSSL_PARAM(3): octet string, UTF-8 string, end.
  constexpr unsigned kOctets = 5;
  constexpr unsigned kText = 4;
  constexpr auto kUnmodified = static_cast<std::size_t>(-1);
  char digest[] = "sha256";
  const OSSL_PARAM parameters[] = {
      {"key", kOctets, key, size, kUnmodified},
      {"digest", kText, digest, sizeof digest - 1, kUnmodified},
      {nullptr, 0, nullptr, 0, 0},
  };
  return api.EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

bool set_mac_key(const OpenSsl& api, HMAC_CTX* mac, unsigned char* key, std::size_t size) {
  return api.HMAC_Init_ex(mac, key, static_cast<int>(size), api.EVP_sha256(), nullptr) == 1;
}

template <class Mac>
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, Mac* mac,
              int sealing) noexcept {
  const Session* const session = Session::of(ssl);
  TicketKeys* const keys = session != nullptr ? session->ticket_keys() : nullptr;
  if (keys == nullptr) return 0;
  return keys->prepare(session->api(), name, iv, cipher, mac, sealing != 0);
}

}  // namespace

void TicketKeys::install(const OpenSsl& api, SSL_CTX* context) {
  if (api.SSL_CTX_set_tlsext_ticket_key_evp_cb != nullptr) {
    api.SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &on_ticket<EVP_MAC_CTX>);
  } else {
    api.SSL_CTX_callback_ctrl(context, kCtrlTicketKeyCallback,
                              reinterpret_cast<AnyCallback>(&on_ticket<HMAC_CTX>));
  }
}

// Under the mutex. True: there is a key that is young enough.
bool TicketKeys::rotate(const OpenSsl& api) {
  const Clock::time_point now = now_();
  if (count_ > 0 && now - made_ < period_) return true;
  Key key;
  constexpr int kSize = 32;
  if (api.RAND_bytes(key.name.data(), kIvSize) != 1 ||
      api.RAND_bytes(key.cipher.data(), kSize) != 1 || api.RAND_bytes(key.mac.data(), kSize) != 1) {
    return false;
  }
  // Keys that are too old are dropped: in `missed` periods no ticket was sealed.
  const auto missed = count_ == 0 ? 0 : static_cast<std::size_t>((now - made_) / period_) - 1;
  count_ = missed >= kKeys ? 0 : std::min(count_, kKeys - 1 - std::min(missed, kKeys - 1));
  std::copy_backward(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(count_),
                     keys_.begin() + static_cast<std::ptrdiff_t>(count_) + 1);
  keys_[0] = key;
  ++count_;
  made_ = now;
  return true;
}

bool TicketKeys::take(std::string_view keys) {
  const std::size_t count = keys.size() / kKeySize;
  if (keys.size() % kKeySize != 0 || count < 1 || count > kKeys) return false;
  const std::lock_guard lock(mutex_);
  std::memcpy(keys_.data(), keys.data(), keys.size());
  count_ = count;
  made_ = now_() + period_;
  return true;
}

template <class Mac>
int TicketKeys::prepare(const OpenSsl& api, unsigned char* name, unsigned char* iv,
                        EVP_CIPHER_CTX* cipher, Mac* mac, bool sealing) {
  const std::lock_guard lock(mutex_);
  if (!rotate(api)) return -1;
  if (sealing) {
    Key& key = keys_[0];
    if (api.RAND_bytes(iv, kIvSize) != 1) return -1;
    std::memcpy(name, key.name.data(), key.name.size());
    const bool ready = api.EVP_EncryptInit_ex(cipher, api.EVP_aes_256_cbc(), nullptr,
                                              key.cipher.data(), iv) == 1 &&
                       set_mac_key(api, mac, key.mac.data(), key.mac.size());
    return ready ? 1 : -1;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    Key& key = keys_[i];
    if (std::memcmp(name, key.name.data(), key.name.size()) != 0) continue;
    const bool ready =
        set_mac_key(api, mac, key.mac.data(), key.mac.size()) &&
        api.EVP_DecryptInit_ex(cipher, api.EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) == 1;
    if (!ready) return -1;
    return i == 0 ? 1 : 2;
  }
  return 0;
}

template int TicketKeys::prepare(const OpenSsl&, unsigned char*, unsigned char*, EVP_CIPHER_CTX*,
                                 EVP_MAC_CTX*, bool);
template int TicketKeys::prepare(const OpenSsl&, unsigned char*, unsigned char*, EVP_CIPHER_CTX*,
                                 HMAC_CTX*, bool);

}  // namespace httpuv::net::tls
