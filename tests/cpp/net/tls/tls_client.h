// The other side of TLS for tests: certificates made with the openssl command, and a client without
// a socket on the same OpenSSL that the server's side uses.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "net/tls/openssl/openssl.h"
#include "net/tls/session/hosts.h"

namespace httpuv::net::tls::test {

// The system's library stands for that of Python's ssl module. Null: there is none.
inline const OpenSsl* system_openssl() {
  for (const char* name : {"libssl.so.3", "libssl.so.1.1", "libssl.3.dylib"}) {
    if (dlopen(name, RTLD_NOW) == nullptr) continue;
    std::string why;
    if (const OpenSsl* const api = OpenSsl::load(name, 0, &why)) return api;
  }
  return nullptr;
}

// A folder with cert.pem and key.pem, for as long as this lives.
class Files {
 public:
  explicit Files(const std::string& name = "localhost")
      : folder_(std::filesystem::temp_directory_path() / "httpuv-tls-XXXXXX") {
    std::string path = folder_.string();
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = path;
    make(name);
  }
  ~Files() { std::filesystem::remove_all(folder_); }

  void make(const std::string& name) const {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=" +
        name + " -keyout " + key() + " -out " + certificate() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req");
  }
  [[nodiscard]] std::string certificate() const { return (folder_ / "cert.pem").string(); }
  [[nodiscard]] std::string key() const { return (folder_ / "key.pem").string(); }
  [[nodiscard]] TlsSettings settings() const {
    TlsSettings settings;
    settings.certificate_file = certificate();
    settings.key_file = key();
    settings.alpn = {"http/1.1"};
    return settings;
  }

 private:
  std::filesystem::path folder_;
};

inline std::shared_ptr<Identity> identity(const OpenSsl& api, const Files& files) {
  Fault fault;
  auto made = Identity::open(api, files.settings(), &fault);
  if (made == nullptr) throw std::runtime_error(fault.file + " " + fault.text);
  return made;
}

class ClientSession {
 public:
  explicit ClientSession(const OpenSsl& api, const char* host = nullptr) : api_(api) {
    constexpr int kSetHost = 55;  // SSL_CTRL_SET_TLSEXT_HOSTNAME
    context_ = api.SSL_CTX_new(look_up<const SSL_METHOD*()>("TLS_client_method")());
    ssl_ = api.SSL_new(context_);
    in_ = api.BIO_new(api.BIO_s_mem());
    out_ = api.BIO_new(api.BIO_s_mem());
    api.SSL_set_bio(ssl_, in_, out_);
    look_up<void(SSL*)>("SSL_set_connect_state")(ssl_);
    if (host != nullptr) {
      look_up<long(SSL*, int, long, const void*)>("SSL_ctrl")(ssl_, kSetHost, 0, host);
    }
  }
  ~ClientSession() {
    api_.SSL_free(ssl_);
    api_.SSL_CTX_free(context_);
  }
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // Bytes of the server.
  void feed(std::string_view bytes) {
    look_up<int(BIO*, const void*, int)>("BIO_write")(in_, bytes.data(),
                                                      static_cast<int>(bytes.size()));
  }
  // Bytes for the server.
  std::string take() {
    std::string result;
    char piece[4096];
    int count = 0;
    while ((count = api_.BIO_read(out_, piece, sizeof piece)) > 0) {
      result.append(piece, static_cast<std::size_t>(count));
    }
    return result;
  }

  bool handshake() { return api_.SSL_do_handshake(ssl_) == 1; }
  void write(std::string_view content) {
    std::size_t count = 0;
    api_.SSL_write_ex(ssl_, content.data(), content.size(), &count);
  }
  void end() { api_.SSL_shutdown(ssl_); }
  // What has come, until now; *ended: the server's close_notify was the last of it.
  std::string read(bool* ended = nullptr) {
    std::string result;
    std::string piece(65'536, '\0');
    std::size_t count = 0;
    int outcome = 0;
    while ((outcome = api_.SSL_read_ex(ssl_, piece.data(), piece.size(), &count)) == 1) {
      result.append(piece, 0, count);
    }
    if (ended != nullptr) *ended = api_.SSL_get_error(ssl_, outcome) == kErrorZeroReturn;
    api_.ERR_clear_error();
    return result;
  }
  [[nodiscard]] SSL* ssl() const { return ssl_; }
  // Asks for new keys of both sides (RFC 8446 section 4.6.3).
  void update_keys() {
    constexpr int kRequested = 1;
    look_up<int(SSL*, int)>("SSL_key_update")(ssl_, kRequested);
    api_.SSL_do_handshake(ssl_);
  }

  template <class Function>
  static Function* look_up(const char* name) {
    void* found = nullptr;
    for (const char* library : {"libssl.so.3", "libssl.so.1.1", "libssl.3.dylib"}) {
      void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
      if (handle != nullptr && (found = dlsym(handle, name)) != nullptr) break;
    }
    if (found == nullptr) throw std::runtime_error(name);
    return reinterpret_cast<Function*>(found);
  }

 private:
  const OpenSsl& api_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

}  // namespace httpuv::net::tls::test
