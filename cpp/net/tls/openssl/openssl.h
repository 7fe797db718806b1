// The OpenSSL that Python's ssl module has loaded into this process, through its public functions.
//
// What: finds the library (1.1.1 or 3.x), declares the few functions and constants that are used,
//   and holds their addresses. No header of OpenSSL is needed to build, and no second copy of it
//   comes into the process.
// Thread: load() under the GIL or another lock of the caller; the table may then be read by any
//   thread. OpenSSL keeps errors and state for each thread by itself.
// Ownership: the library is never unloaded, and the table lives as long as the process.
// Failure: load() returns null and says why.
//
// Names, types and numbers are those of OpenSSL's manual pages and public headers (ssl.h, bio.h,
// evp.h, x509.h), which are the same in 1.1.1 and 3.x.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace httpuv::net::tls {

// Opaque types of OpenSSL.
struct SSL;
struct SSL_CTX;
struct SSL_METHOD;
struct SSL_CIPHER;
struct BIO;
struct BIO_METHOD;
struct X509;
struct X509_NAME;
struct X509_STORE_CTX;
struct X509_NAMES;  // STACK_OF(X509_NAME)
struct X509_CHAIN;  // STACK_OF(X509)
struct ASN1_INTEGER;
struct ASN1_TIME;
struct EVP_CIPHER;
struct EVP_CIPHER_CTX;
struct EVP_MD;
struct EVP_MAC_CTX;  // 3.x
struct HMAC_CTX;     // 1.1.1
struct ENGINE;

// OSSL_PARAM(3): its layout is public.
struct OSSL_PARAM {
  const char* key;
  unsigned int data_type;
  void* data;
  std::size_t data_size;
  std::size_t return_size;
};

using PasswordCallback = int (*)(char* into, int size, int writing, void* data);
using VerifyCallback = int (*)(int ok, X509_STORE_CTX* context);
using AlpnCallback = int (*)(SSL*, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* data);
using AnyCallback = void (*)();
using AnyResult = void;  // of a function whose type depends on the version

// X(result, name, parameters)
#define HTTPUV_OPENSSL_FUNCTIONS(X)                                                            \
  X(unsigned long, OpenSSL_version_num, ())                                                    \
  X(const char*, OpenSSL_version, (int))                                                       \
  X(unsigned long, ERR_get_error, ())                                                          \
  X(unsigned long, ERR_peek_last_error, ())                                                    \
  X(void, ERR_clear_error, ())                                                                 \
  X(const char*, ERR_reason_error_string, (unsigned long))                                     \
  X(int, RAND_bytes, (unsigned char*, int))                                                    \
  X(BIO*, BIO_new, (const BIO_METHOD*))                                                        \
  X(int, BIO_free, (BIO*))                                                                     \
  X(int, BIO_read, (BIO*, void*, int))                                                         \
  X(const BIO_METHOD*, BIO_s_mem, ())                                                          \
  X(int, BIO_get_new_index, ())                                                                \
  X(BIO_METHOD*, BIO_meth_new, (int, const char*))                                             \
  X(int, BIO_meth_set_write, (BIO_METHOD*, int (*)(BIO*, const char*, int)))                   \
  X(int, BIO_meth_set_read, (BIO_METHOD*, int (*)(BIO*, char*, int)))                          \
  X(int, BIO_meth_set_ctrl, (BIO_METHOD*, long (*)(BIO*, int, long, void*)))                   \
  X(void, BIO_set_data, (BIO*, void*))                                                         \
  X(void*, BIO_get_data, (BIO*))                                                               \
  X(void, BIO_set_init, (BIO*, int))                                                           \
  X(void, BIO_set_flags, (BIO*, int))                                                          \
  X(void, BIO_clear_flags, (BIO*, int))                                                        \
  X(void, X509_free, (X509*))                                                                  \
  X(X509_NAME*, X509_get_subject_name, (const X509*))                                          \
  X(X509_NAME*, X509_get_issuer_name, (const X509*))                                           \
  X(ASN1_INTEGER*, X509_get_serialNumber, (X509*))                                             \
  X(const ASN1_TIME*, X509_get0_notBefore, (const X509*))                                      \
  X(const ASN1_TIME*, X509_get0_notAfter, (const X509*))                                       \
  X(int, X509_NAME_print_ex, (BIO*, const X509_NAME*, int, unsigned long))                     \
  X(int, i2a_ASN1_INTEGER, (BIO*, const ASN1_INTEGER*))                                        \
  X(int, ASN1_TIME_print, (BIO*, const ASN1_TIME*))                                            \
  X(int, PEM_write_bio_X509, (BIO*, X509*))                                                    \
  X(int, OPENSSL_sk_num, (const X509_CHAIN*))                                                  \
  X(void*, OPENSSL_sk_value, (const X509_CHAIN*, int))                                         \
  X(const EVP_CIPHER*, EVP_aes_256_cbc, ())                                                    \
  X(const EVP_MD*, EVP_sha256, ())                                                             \
  X(int, EVP_EncryptInit_ex,                                                                   \
    (EVP_CIPHER_CTX*, const EVP_CIPHER*, ENGINE*, const unsigned char*, const unsigned char*)) \
  X(int, EVP_DecryptInit_ex,                                                                   \
    (EVP_CIPHER_CTX*, const EVP_CIPHER*, ENGINE*, const unsigned char*, const unsigned char*)) \
  X(const SSL_METHOD*, TLS_server_method, ())                                                  \
  X(SSL_CTX*, SSL_CTX_new, (const SSL_METHOD*))                                                \
  X(void, SSL_CTX_free, (SSL_CTX*))                                                            \
  X(long, SSL_CTX_ctrl, (SSL_CTX*, int, long, void*))                                          \
  X(long, SSL_CTX_callback_ctrl, (SSL_CTX*, int, AnyCallback))                                 \
  X(int, SSL_CTX_use_certificate_chain_file, (SSL_CTX*, const char*))                          \
  X(int, SSL_CTX_use_PrivateKey_file, (SSL_CTX*, const char*, int))                            \
  X(int, SSL_CTX_check_private_key, (const SSL_CTX*))                                          \
  X(X509*, SSL_CTX_get0_certificate, (const SSL_CTX*))                                         \
  X(void, SSL_CTX_set_default_passwd_cb, (SSL_CTX*, PasswordCallback))                         \
  X(void, SSL_CTX_set_default_passwd_cb_userdata, (SSL_CTX*, void*))                           \
  X(int, SSL_CTX_load_verify_locations, (SSL_CTX*, const char*, const char*))                  \
  X(X509_NAMES*, SSL_load_client_CA_file, (const char*))                                       \
  X(void, SSL_CTX_set_client_CA_list, (SSL_CTX*, X509_NAMES*))                                 \
  X(void, SSL_CTX_set_verify, (SSL_CTX*, int, VerifyCallback))                                 \
  X(int, SSL_CTX_set_cipher_list, (SSL_CTX*, const char*))                                     \
  X(int, SSL_CTX_set_ciphersuites, (SSL_CTX*, const char*))                                    \
  X(void, SSL_CTX_set_alpn_select_cb, (SSL_CTX*, AlpnCallback, void*))                         \
  X(int, SSL_CTX_set_session_id_context, (SSL_CTX*, const unsigned char*, unsigned))           \
  X(AnyResult, SSL_CTX_set_options, ())                                                        \
  X(AnyResult, SSL_set_options, ())                                                            \
  X(int, SSL_set_num_tickets, (SSL*, std::size_t))                                             \
  X(SSL*, SSL_new, (SSL_CTX*))                                                                 \
  X(void, SSL_free, (SSL*))                                                                    \
  X(void, SSL_set_bio, (SSL*, BIO*, BIO*))                                                     \
  X(void, SSL_set_accept_state, (SSL*))                                                        \
  X(SSL_CTX*, SSL_set_SSL_CTX, (SSL*, SSL_CTX*))                                               \
  X(void, SSL_set_verify, (SSL*, int, VerifyCallback))                                         \
  X(int, SSL_set_ex_data, (SSL*, int, void*))                                                  \
  X(void*, SSL_get_ex_data, (const SSL*, int))                                                 \
  X(int, SSL_do_handshake, (SSL*))                                                             \
  X(int, SSL_read_ex, (SSL*, void*, std::size_t, std::size_t*))                                \
  X(int, SSL_write_ex, (SSL*, const void*, std::size_t, std::size_t*))                         \
  X(int, SSL_pending, (const SSL*))                                                            \
  X(int, SSL_has_pending, (const SSL*))                                                        \
  X(int, SSL_get_error, (const SSL*, int))                                                     \
  X(int, SSL_shutdown, (SSL*))                                                                 \
  X(const char*, SSL_get_version, (const SSL*))                                                \
  X(int, SSL_version, (const SSL*))                                                            \
  X(const SSL_CIPHER*, SSL_get_current_cipher, (const SSL*))                                   \
  X(const char*, SSL_CIPHER_get_name, (const SSL_CIPHER*))                                     \
  X(std::uint16_t, SSL_CIPHER_get_protocol_id, (const SSL_CIPHER*))                            \
  X(void, SSL_get0_alpn_selected, (const SSL*, const unsigned char**, unsigned*))              \
  X(const char*, SSL_get_servername, (const SSL*, int))                                        \
  X(X509_CHAIN*, SSL_get_peer_cert_chain, (const SSL*))                                        \
  X(long, SSL_get_verify_result, (const SSL*))                                                 \
  X(const char*, X509_verify_cert_error_string, (long))                                        \
  X(int, SSL_session_reused, (const SSL*))

// Those that only one of the two versions has; null elsewhere.
#define HTTPUV_OPENSSL_OPTIONAL(X)                                                                 \
  X(X509*, SSL_get1_peer_certificate, (const SSL*))                                                \
  X(X509*, SSL_get_peer_certificate, (const SSL*))                                                 \
  X(int, SSL_CTX_set_tlsext_ticket_key_evp_cb,                                                     \
    (SSL_CTX*, int (*)(SSL*, unsigned char*, unsigned char*, EVP_CIPHER_CTX*, EVP_MAC_CTX*, int))) \
  X(int, EVP_MAC_CTX_set_params, (EVP_MAC_CTX*, const OSSL_PARAM*))                                \
  X(int, HMAC_Init_ex, (HMAC_CTX*, const void*, int, const EVP_MD*, ENGINE*))

struct OpenSsl {
#define HTTPUV_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  HTTPUV_OPENSSL_FUNCTIONS(HTTPUV_DECLARE)
  HTTPUV_OPENSSL_OPTIONAL(HTTPUV_DECLARE)
#undef HTTPUV_DECLARE

  // `module`: the file of Python's _ssl module, whose dependencies are searched; "" where that is a
  // part of the program. `version`: the OPENSSL_VERSION_NUMBER that it reports; 0: any. The first
  // call that succeeds decides; null and *why otherwise.
  static const OpenSsl* load(const std::string& module, unsigned long version, std::string* why);
  // What load() has found; null before. Any thread.
  static const OpenSsl* loaded();

  // SSL_CTX_set_options(3): their types are others in 3.x.
  void set_options(SSL_CTX* context, std::uint32_t options) const;
  void set_options(SSL* ssl, std::uint32_t options) const;
  bool is_3() const {
    return OpenSSL_version_num() >= 0x30000000UL;
  }

  // The text of the last error of this thread, "" if there is none; clears all of them.
  std::string take_error() const;
};

// ssl.h: SSL_CTX_ctrl(), SSL_CTX_callback_ctrl().
inline constexpr int kCtrlMode = 33;
inline constexpr int kCtrlSessionCacheMode = 44;
inline constexpr int kCtrlServerNameCallback = 53;
inline constexpr int kCtrlServerNameArgument = 54;
inline constexpr int kCtrlTicketKeyCallback = 72;  // 1.1.1
inline constexpr int kCtrlMinProtocol = 123;

inline constexpr long kModeReleaseBuffers = 0x10;
inline constexpr long kSessionCacheOff = 0;

inline constexpr std::uint32_t kOpNoTicket = 0x4000;
inline constexpr std::uint32_t kOpNoCompression = 0x20000;
inline constexpr std::uint32_t kOpCipherServerPreference = 0x400000;
inline constexpr std::uint32_t kOpNoRenegotiation = 0x40000000;
inline constexpr std::uint32_t kOpPrioritizeChaCha = 0x200000;

inline constexpr int kVerifyNone = 0;
inline constexpr int kVerifyPeer = 1;
inline constexpr int kVerifyFailIfNoPeerCert = 2;

inline constexpr int kFileTypePem = 1;
inline constexpr int kTls12 = 0x303;
inline constexpr int kTls13 = 0x304;

inline constexpr int kErrorNone = 0;
inline constexpr int kErrorSsl = 1;
inline constexpr int kErrorWantRead = 2;
inline constexpr int kErrorWantWrite = 3;
inline constexpr int kErrorZeroReturn = 6;

inline constexpr int kTlsextOk = 0;
inline constexpr int kTlsextAlertFatal = 2;
inline constexpr int kTlsextNoAck = 3;
inline constexpr int kServerNameTypeHost = 0;

// bio.h
inline constexpr int kBioFlagsRead = 0x1;
inline constexpr int kBioFlagsShouldRetry = 0x8;
inline constexpr int kBioCtrlFlush = 11;
inline constexpr int kBioTypeSourceSink = 0x400;

inline constexpr unsigned long kNameRfc2253 = 0x01110317;  // x509.h: XN_FLAG_RFC2253, all ASCII

}  // namespace httpuv::net::tls
