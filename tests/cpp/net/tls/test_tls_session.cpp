#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <span>

#include "net/tls/session/hosts.h"
#include "net/tls/session/session.h"
#include "tls_client.h"

namespace httpuv::net::tls {
namespace {

using Status = Session::Status;
using test::ClientSession;
using test::Files;
using test::system_openssl;

// A server's session and a client's, and the bytes between them.
struct Talk {
  explicit Talk(const std::shared_ptr<const Hosts>& hosts, const char* host = nullptr)
      : server(hosts, output), client(*OpenSsl::loaded(), host) {}

  void pass() {  // what the client has said
    input = client.take();
    server.feed(input);
  }
  void back() {
    client.feed(output);
    output.clear();
  }
  bool handshake() {
    for (int i = 0; i < 5; ++i) {
      const bool done = client.handshake();
      pass();
      const Status status = server.handshake();
      back();
      if (done && status == Status::kDone) return true;
      if (status == Status::kFailed) return false;
    }
    return false;
  }
  std::string read(Status* last) {
    std::string result;
    std::array<char, 70'000> into;
    std::size_t count = 0;
    while ((*last = server.read(into, &count)) == Status::kDone) result.append(into.data(), count);
    return result;
  }

  std::string input;
  std::string output;
  Session server;
  ClientSession client;
};

std::shared_ptr<const Hosts> one_host(const OpenSsl& api, const Files& files) {
  return std::make_shared<const Hosts>(test::identity(api, files), std::vector<Hosts::Entry>{});
}

TEST_CASE("a session: handshake, both directions, both ends") {
  const OpenSsl* const api = system_openssl();
  if (api == nullptr) return;
  const Files files;
  const auto hosts = one_host(*api, files);
  Talk talk(hosts, "example.com");
  REQUIRE(talk.server.valid());
  REQUIRE(talk.handshake());
  const auto info = talk.server.describe();
  CHECK(info->version == "TLSv1.3");
  CHECK(info->version_number == kTls13);
  CHECK(info->server_name == "example.com");
  CHECK(info->server_certificate->starts_with("-----BEGIN CERTIFICATE-----\n"));
  CHECK_FALSE(info->has_client);

  talk.client.write(std::string(100'000, 'c'));
  talk.pass();
  Status status = Status::kDone;
  CHECK(talk.read(&status) == std::string(100'000, 'c'));
  CHECK(status == Status::kMore);
  CHECK(talk.server.unread().empty());

  CHECK(talk.server.write("short") == Status::kDone);
  CHECK(talk.server.write(std::string(200'000, 's')) == Status::kDone);
  talk.server.end();
  talk.back();
  bool ended = false;
  CHECK((talk.client.read(&ended) == "short" + std::string(200'000, 's')));
  CHECK(ended);

  talk.client.end();
  talk.pass();
  CHECK(talk.read(&status).empty());
  CHECK(status == Status::kClosed);
}

TEST_CASE("what comes in single bytes, and what is nonsense") {
  const OpenSsl* const api = system_openssl();
  if (api == nullptr) return;
  const Files files;
  const auto hosts = one_host(*api, files);
  Talk talk(hosts);
  talk.client.handshake();
  const std::string hello = talk.client.take();
  for (const char& byte : hello) {
    talk.server.feed({&byte, 1});
    CHECK(talk.server.handshake() == Status::kMore);
  }
  CHECK_FALSE(talk.output.empty());
  talk.back();
  REQUIRE(talk.handshake());

  talk.client.write("content");
  std::string sealed = talk.client.take();
  sealed.back() ^= 1;
  talk.server.feed(sealed);
  Status status = Status::kDone;
  CHECK(talk.read(&status).empty());
  CHECK(status == Status::kFailed);
  CHECK_FALSE(talk.server.error().empty());
  CHECK_FALSE(talk.output.empty());  // the alert

  std::string output;
  Session other(hosts, output);
  other.feed("GET / HTTP/1.1\r\n\r\n");
  CHECK(other.handshake() == Status::kFailed);
}

TEST_CASE("the certificate of the host that is named, and of all others") {
  const OpenSsl* const api = system_openssl();
  if (api == nullptr) return;
  const Files first("first");
  const Files second("second");
  const auto other = test::identity(*api, first);
  const auto named = test::identity(*api, second);
  const auto hosts = std::make_shared<const Hosts>(
      other, std::vector<Hosts::Entry>{{"a.example", named}, {"*.b.example", named}});
  CHECK(hosts->all().size() == 2);
  CHECK(hosts->resumes());
  for (const char* const name : {"a.example", "A.Example", "x.b.example", "a.example."}) {
    CAPTURE(name);
    CHECK(hosts->find(name) == named);
  }
  for (const char* const name :
       {"", ".", "b.example", ".b.example", "x.y.b.example", "x.a.example", "localhost"}) {
    CAPTURE(name);
    CHECK(hosts->find(name) == other);
  }
  Talk talk(hosts, "x.b.example");
  REQUIRE(talk.handshake());
  CHECK(*talk.server.describe()->server_certificate == named->current()->certificate());
  CHECK(*talk.server.describe()->server_certificate != other->current()->certificate());
}

TEST_CASE("files that change are noticed once, and what is no good replaces nothing") {
  const OpenSsl* const api = system_openssl();
  if (api == nullptr) return;
  const Files files("before");
  const auto identity = test::identity(*api, files);
  const std::string before = identity->current()->certificate();
  Fault fault;
  CHECK(identity->refresh(&fault) == Identity::Outcome::kUnchanged);
  files.make("after");
  CHECK(identity->refresh(&fault) == Identity::Outcome::kReloaded);
  const std::string after = identity->current()->certificate();
  CHECK(after != before);
  std::ofstream(files.key()) << "nonsense";
  CHECK(identity->refresh(&fault) == Identity::Outcome::kFailed);
  CHECK(fault.file == files.key());
  CHECK(fault.error == 0);
  CHECK(identity->refresh(&fault) == Identity::Outcome::kUnchanged);
  CHECK_FALSE(identity->reload(&fault));
  CHECK(identity->current()->certificate() == after);
}

// What prepare() writes, as one text.
struct Ticket {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, 16> iv{};
};

TEST_CASE("keys of tickets are replaced, and the last ones still open") {
  const OpenSsl* const api = system_openssl();
  if (api == nullptr || !api->is_3()) return;
  const auto new_cipher = ClientSession::look_up<EVP_CIPHER_CTX*()>("EVP_CIPHER_CTX_new");
  const auto free_cipher = ClientSession::look_up<void(EVP_CIPHER_CTX*)>("EVP_CIPHER_CTX_free");
  struct EVP_MAC;
  const auto fetch =
      ClientSession::look_up<EVP_MAC*(void*, const char*, const char*)>("EVP_MAC_fetch");
  const auto free_algorithm = ClientSession::look_up<void(EVP_MAC*)>("EVP_MAC_free");
  const auto new_mac = ClientSession::look_up<EVP_MAC_CTX*(EVP_MAC*)>("EVP_MAC_CTX_new");
  const auto free_mac = ClientSession::look_up<void(EVP_MAC_CTX*)>("EVP_MAC_CTX_free");
  EVP_CIPHER_CTX* const cipher = new_cipher();
  EVP_MAC* const algorithm = fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* const mac = new_mac(algorithm);
  const auto seal = [&](TicketKeys& keys, Ticket* ticket) {
    return keys.prepare(*api, ticket->name.data(), ticket->iv.data(), cipher, mac, true);
  };
  const auto open = [&](TicketKeys& keys, Ticket ticket) {
    return keys.prepare(*api, ticket.name.data(), ticket.iv.data(), cipher, mac, false);
  };
  Ticket ticket;
  TicketKeys lasting;
  CHECK(seal(lasting, &ticket) == 1);
  CHECK(open(lasting, ticket) == 1);
  Ticket unknown = ticket;
  unknown.name[0] ^= 1;
  CHECK(open(lasting, unknown) == 0);

  TicketKeys::Clock::time_point now{};
  TicketKeys stepped{std::chrono::hours(1), [&now] { return now; }};
  now += std::chrono::hours(5);
  CHECK(seal(stepped, &ticket) == 1);
  const Ticket first = ticket;
  now += std::chrono::minutes(59);
  CHECK(open(stepped, first) == 1);
  now += std::chrono::minutes(2);
  CHECK(open(stepped, first) == 2);  // and renewed
  now += std::chrono::hours(1);
  CHECK(open(stepped, first) == 2);
  now += std::chrono::hours(1);
  CHECK(open(stepped, first) == 0);

  // Those of another process, which it replaces every hour.
  const std::string shared = std::string(TicketKeys::kKeySize, 'a');
  TicketKeys here{std::chrono::hours(1), [&now] { return now; }};
  TicketKeys there{std::chrono::hours(1), [&now] { return now; }};
  CHECK(seal(there, &ticket) == 1);
  CHECK(here.take(shared));
  CHECK(there.take(shared));
  CHECK(open(there, ticket) == 0);  // its own key is gone
  CHECK(seal(here, &ticket) == 1);
  CHECK(open(there, ticket) == 1);
  now += std::chrono::minutes(61);
  CHECK(there.take(std::string(TicketKeys::kKeySize, 'b') + shared));
  CHECK(open(there, ticket) == 2);
  CHECK(open(here, ticket) == 1);  // the new key has not come yet
  now += std::chrono::minutes(60);
  CHECK(open(here, ticket) == 2);  // and never came
  CHECK_FALSE(here.take(""));
  CHECK_FALSE(here.take(std::string(TicketKeys::kKeySize - 1, 'a')));
  CHECK_FALSE(here.take(std::string(TicketKeys::kKeySize * 4, 'a')));
  free_mac(mac);
  free_algorithm(algorithm);
  free_cipher(cipher);
}

}  // namespace
}  // namespace httpuv::net::tls
