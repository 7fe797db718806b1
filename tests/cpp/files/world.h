// A FileService over a temporary tree, with a pool and a loop on one thread.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "files/cache/service.h"
#include "temp_tree.h"
#include "types.h"

namespace httpuv::files {

// Every step at the test's command.
class World : public Executor, public Sink {
 public:
  explicit World(const CacheLimits& limits = {}) : service(*this, *this, limits) { use(route()); }
  ~World() override { settle(); }

  Route route() const {
    Route made;
    made.local_path = tree.root();
    return made;
  }
  void use(Route made) { use(std::vector<Route>{std::move(made)}); }
  void use(std::vector<Route> made) {
    service.set_routes(std::make_shared<const RouteTable>(
        std::move(made), std::make_shared<MimeTable>(web_types())));
  }

  void read(std::uint64_t, std::function<void()> job, Done done) override {
    jobs.emplace_back(std::move(job), std::move(done));
  }
  void compute(std::function<bool()> slice, Done done) override {
    read(
        0,
        [slice = std::move(slice)] {
          while (slice()) {
          }
        },
        std::move(done));
  }
  void on_resolved(const Token& token, const Resolution& resolution) override {
    REQUIRE(answers.count(token.exchange) == 0);
    answers.emplace(token.exchange, resolution);
    if (on_answer) on_answer(token);
  }

  // Asks for a path; the number of the request.
  std::uint32_t ask(const std::string& path) {
    const Match match = service.classify(path);
    REQUIRE(match.kind == MatchKind::kRoute);
    service.resolve(Token{1, ++last}, match);
    return last;
  }

  bool run_job() {
    if (jobs.empty()) return false;
    auto [job, done] = std::move(jobs.front());
    jobs.pop_front();
    job();
    done(true);
    service.end_turn();
    return true;
  }
  void settle() {
    service.end_turn();
    while (run_job()) {
    }
  }

  bool answered(std::uint32_t number) const { return answers.count(number) > 0; }

  // What a finished request got: a file's bytes, or the kind.
  std::string got(std::uint32_t number) const {
    const auto found = answers.find(number);
    if (found == answers.end()) return "(nothing yet)";
    const Resolution& resolution = found->second;
    switch (resolution.kind) {
      case ResolutionKind::kFile:
        return resolution.entry->in_memory ? resolution.entry->content
                                           : "(" + std::to_string(resolution.entry->size) + ")";
      case ResolutionKind::kListing:
        return "(listing)";
      case ResolutionKind::kRedirect:
        return "-> " + *resolution.location;
      case ResolutionKind::kNotFound:
        return resolution.entry ? "404 " + resolution.entry->content : "404";
      case ResolutionKind::kForbidden:
        return "403";
      case ResolutionKind::kFallthrough:
        return "(application)";
      case ResolutionKind::kError:
        break;
    }
    return "(error)";
  }
  // Asks, and waits for it.
  std::string get(const std::string& path) {
    const std::uint32_t number = ask(path);
    settle();
    return got(number);
  }

  TempTree tree;
  std::deque<std::pair<std::function<void()>, Done>> jobs;
  std::map<std::uint32_t, Resolution> answers;
  std::function<void(const Token&)> on_answer;
  std::uint32_t last = 0;
  FileService service;
};

}  // namespace httpuv::files
