// The certificate for each host that a client names (SNI, RFC 6066 section 3).
//
// What: names, "*.example.com" for one label below it, and the one for all others. Immutable.
// Thread: any. Ownership: shared by a server and its connections. Failure: none.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/tls/session/identity.h"

namespace httpuv::net::tls {

class Hosts {
 public:
  using Entry = std::pair<std::string, std::shared_ptr<Identity>>;

  // `named`: lower-case names. `other`: for clients that name none of them, or nothing.
  Hosts(std::shared_ptr<Identity> other, std::vector<Entry> named);

  // Never null.
  [[nodiscard]] const std::shared_ptr<Identity>& find(std::string_view name) const;
  [[nodiscard]] const std::shared_ptr<Identity>& other() const { return other_; }
  // Each once.
  [[nodiscard]] std::vector<std::shared_ptr<Identity>> all() const;
  // Whether sessions may be resumed. A ticket is opened before it is known which host is meant, so
  // it must not carry a client's certificate from one to another, nor spare it one.
  [[nodiscard]] bool resumes() const { return resumes_; }

 private:
  std::shared_ptr<Identity> other_;
  std::vector<Entry> named_;
  bool resumes_ = true;
};

}  // namespace httpuv::net::tls
