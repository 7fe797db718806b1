#include "net/tls/openssl/openssl.h"

#include <dlfcn.h>

#include <atomic>

namespace httpuv::net::tls {

namespace {

constexpr unsigned long kOldest = 0x10101000UL;  // 1.1.1

std::atomic<const OpenSsl*> g_loaded{nullptr};

// What stands in the variable of a function pointer; dlsym(3) returns a data pointer (POSIX
// guarantees that the two convert).
template <class Function>
bool look_up(void* library, const char* name, Function*& into) {
  into = reinterpret_cast<Function*>(dlsym(library, name));
  return into != nullptr;
}

// The options are 64 bits wide in 3.x, and a long in 1.1.1.
template <class Object>
void add_options(bool is_3, AnyCallback function, Object* object, std::uint32_t options) {
  if (is_3) {
    reinterpret_cast<std::uint64_t (*)(Object*, std::uint64_t)>(function)(object, options);
  } else {
    reinterpret_cast<unsigned long (*)(Object*, unsigned long)>(function)(object, options);
  }
}

}  // namespace

const OpenSsl* OpenSsl::loaded() {
  return g_loaded.load(std::memory_order_acquire);
}

const OpenSsl* OpenSsl::load(const std::string& module, unsigned long version, std::string* why) {
  if (const OpenSsl* const found = loaded()) return found;
  // Never loads anything: the module is there, and dlsym() looks into what it depends on as well.
  // The handle is kept, so that the library stays.
  void* const library =
      dlopen(module.empty() ? nullptr : module.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (library == nullptr) {
    const char* const cause = dlerror();
    *why = "the module " + module + " is not a loaded library" +
           (cause != nullptr ? std::string(": ") + cause : std::string());
    return nullptr;
  }
  auto* const table = new OpenSsl;  // as long as the process
  std::string missing;
#define HTTPUV_LOOK_UP(result, name, parameters) \
  if (!look_up(library, #name, table->name) && missing.empty()) missing = #name;
  HTTPUV_OPENSSL_FUNCTIONS(HTTPUV_LOOK_UP)
#undef HTTPUV_LOOK_UP
#define HTTPUV_LOOK_UP(result, name, parameters) look_up(library, #name, table->name);
  HTTPUV_OPENSSL_OPTIONAL(HTTPUV_LOOK_UP)
#undef HTTPUV_LOOK_UP
  const bool tickets = table->SSL_CTX_set_tlsext_ticket_key_evp_cb != nullptr
                           ? table->EVP_MAC_CTX_set_params != nullptr
                           : table->HMAC_Init_ex != nullptr;
  if (table->SSL_get1_peer_certificate == nullptr) {
    table->SSL_get1_peer_certificate = table->SSL_get_peer_certificate;  // its name in 1.1.1
  }
  if (missing.empty() && !tickets) missing = "SSL_CTX_set_tlsext_ticket_key_evp_cb";
  if (missing.empty() && table->SSL_get1_peer_certificate == nullptr) {
    missing = "SSL_get_peer_certificate";
  }
  if (table->OpenSSL_version_num == nullptr) {
    *why = "its OpenSSL is linked statically and hides its functions";
  } else if (table->OpenSSL_version_num() < kOldest) {
    *why = "it is older than OpenSSL 1.1.1";
  } else if (version != 0 && table->OpenSSL_version_num() != version) {
    *why = "the ssl module and the functions found (" + std::string(table->OpenSSL_version(0)) +
           ") are of different versions";
  } else if (!missing.empty()) {
    *why = std::string(table->OpenSSL_version(0)) + " lacks the function " + missing;
  } else {
    g_loaded.store(table, std::memory_order_release);
    return table;
  }
  delete table;
  return nullptr;
}

void OpenSsl::set_options(SSL_CTX* context, std::uint32_t options) const {
  add_options(is_3(), SSL_CTX_set_options, context, options);
}

void OpenSsl::set_options(SSL* ssl, std::uint32_t options) const {
  add_options(is_3(), SSL_set_options, ssl, options);
}

std::string OpenSsl::take_error() const {
  const unsigned long code = ERR_peek_last_error();
  const char* const text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return text != nullptr ? text : "";
}

}  // namespace httpuv::net::tls
