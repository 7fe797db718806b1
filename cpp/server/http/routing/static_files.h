// Connects the file library to the loop: its blocking work goes to the lanes, its results go back
// to the session, and its answers are written to a connection. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "files/answer/respond.h"
#include "files/cache/service.h"
#include "http/message/request.h"
#include "http/message/response.h"
#include "server/connection/context.h"

namespace httpuv::server {

class Connection;

// The facts of the exchange that determine how an answer is written.
struct AnswerMode {
  bool keep_alive = true;
  bool head_only = false;  // HEAD
  int minor_version = 1;
};

class StaticFiles final : private files::Executor, private files::Sink {
 public:
  explicit StaticFiles(Context& context);

  void set_routes(std::shared_ptr<const files::RouteTable> routes);

  [[nodiscard]] files::Match classify(std::string_view raw_path) const {
    return service_.classify(raw_path);
  }

  // StaticResponder::resolved() is called at the end of this turn, or of a later one. `match` is
  // what classify() returned last.
  void resolve(const ExchangeId& id, const files::Match& match, const http::RequestHead& head);
  // The same for a request that was classified a while ago.
  void resolve(const ExchangeId& id, const http::RequestHead& head);
  void end_turn() { service_.end_turn(); }

  // Writes the whole answer; says which, and how long its body is.
  struct Written {
    int status;
    std::uint64_t bytes;
  };
  Written write(Connection& connection, const http::RequestHead& request,
                const files::Resolution& resolution, const AnswerMode& mode);

 private:
  void read(std::uint64_t device, std::function<void()> job, Done done) override;
  void compute(std::function<bool()> slice, Done done) override;
  void on_resolved(const files::Token& token, const files::Resolution& resolution) override;

  Context& context_;
  files::FileService service_;
  http::ResponseHead head_;  // memory that answers use one after another
  std::string scratch_;
};

}  // namespace httpuv::server
