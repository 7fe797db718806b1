// The application that answers a request, and its abilities; the loop decides for each head.
//
// Plain data. A running server changes its own on the loop thread, between two requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace httpuv::server {

// What the application of a server can do.
struct Abilities {
  bool call = true;          // without it every dynamic request is 404
  bool on_headers = false;   // with it every dynamic request is announced when its head has come
  bool stream_body = false;  // with it a body is announced by its head, and comes in pieces
  bool connect = false;      // without it CONNECT is 405
  bool websocket = false;    // without it a request for one is a request like any other
  bool ws_waits = false;     // a handshake waits for the application's decision
  // With stream_body: a body of known length up to this comes as a whole all the same.
  std::uint64_t gather_body = 0;
};

// An application below a path, beside the root application.
struct Mount {
  std::string prefix;  // "/a/b": decoded, no slash at its end; "" is the root
  Abilities abilities;
  bool off = false;  // it was replaced: only exchanges that began with it are its
};

struct Routing {
  Abilities root;             // of what answers where there is no mount
  std::vector<Mount> mounts;  // longest prefix first; Envelope::mount counts from 1

  [[nodiscard]] const Abilities& abilities_of(std::uint16_t mount) const {
    return mount == 0 ? root : mounts[mount - std::size_t{1}].abilities;
  }
};

}  // namespace httpuv::server
