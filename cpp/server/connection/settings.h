// What a server is started with. Made by the thread that starts it; never changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/proxy/networks.h"
#include "net/listen/bind.h"
#include "server/message/routing.h"
#include "server/message/tls.h"
#include "server/observe/metrics_memory.h"
#include "server/topics/topic_rules.h"
#include "server/worker/limits.h"

namespace httpuv::server {

struct WebSocketSettings {
  std::vector<std::string> protocols;        // subprotocols, as the client's list prefers them
  std::vector<std::string> allowed_origins;  // see host_check.h; empty: any
  Overflow overflow = Overflow::kClose;
  bool deflate = true;
  bool deflate_loopback = false;  // also for peers on this machine, where compression saves nothing
};

// Answers of the server's own, which never wait for Python: see builtin.h. Paths; empty: none.
struct BuiltinSettings {
  std::string health;
  std::string ready;
  std::string metrics;
  std::int64_t ready_max_wait_ms = 10'000;  // how long a request may wait for Python
};

struct FileLog;

struct Settings {
  explicit Settings(const Limits& given) : limits(given) {}

  Limits limits;
  Abilities abilities;
  net::BindOptions bind;
  unsigned workers = 1;                    // threads with a loop each, 1 to kMaxWorkers
  std::vector<Mount> mounts;               // see Routing
  std::vector<std::string> allowed_hosts;  // see host_check.h; empty: any
  bool gzip = true;         // compress the answers of the application for clients that accept it
  bool access_log = false;  // report each answer to the application
  WebSocketSettings websocket;
  bool proxy_protocol = false;  // on the main listeners
  http::Networks proxies;       // trusted to name their clients
  BuiltinSettings builtin;
  std::shared_ptr<MetricsMemory> metrics;                       // null: the server's own
  std::vector<std::pair<std::string, std::string>> build_info;  // names and versions
  std::shared_ptr<FileLog> file_log;                            // null: none
  bool request_ids = false;                                     // each request has an X-Request-ID
  TopicSettings topics;
  std::string spool_folder = "/tmp";  // for the bodies of requests that are too long for memory
  std::shared_ptr<const Certificates> tls;  // null: plain HTTP
};

}  // namespace httpuv::server
