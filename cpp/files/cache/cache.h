// The implementation of FileService: gathers the requests of a turn by path, checks cached paths
// once for all of them, lets other threads resolve the others, and hands out the results.
//
// Loop thread only; owned by the FileService. A request is only ever answered by a check, or a
// search, that began after it was read.
// More than 25 members and methods, because a path passes from one step to the next: looked for,
// checked, resolved, coded, answered.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "files/cache/absences.h"
#include "files/cache/node.h"
#include "files/cache/node_store.h"
#include "files/cache/resolver.h"
#include "files/cache/service.h"
#include "files/cache/watch.h"

namespace httpuv::files {

class OpenFileCache {
 public:
  OpenFileCache(Executor& executor, Sink& sink, const CacheLimits& limits);

  void resolve(const Token& token, const Match& match, const ListingView& view,
               const std::shared_ptr<const RouteTable>& table);
  void end_turn();
  void clear();

  [[nodiscard]] std::size_t jobs() const { return jobs_; }
  [[nodiscard]] bool idle() const { return jobs_ == 0 && turn_.empty(); }
  [[nodiscard]] ServiceCounters counters() const;

 private:
  void begin_round();
  // Does something for the node; without memory those that wait for it are told.
  template <class Call>
  void guarded(Node& node, const Call& call);
  void give_up(Node& node);
  void process(Node& node);
  bool answer_from_cache(Node& node);
  bool answer_from_absences(Node& node);
  void start_job(Node& node);
  void start_coding(Node& node);
  void finish_job(Node& node, bool ran);
  void accept(Node& node, Finding&& finding);
  void deliver(std::vector<Token>& tokens, const Resolution& resolution);
  void settle(Node& node);
  void schedule(Node& node);

  Executor& executor_;
  Sink& sink_;
  std::shared_ptr<Resolver> resolver_;
  WatchSet watches_;  // outlives the nodes and absences
  NodeStore store_;
  Absences absences_;
  std::vector<Node*> turn_;    // with requests waiting
  std::vector<Node*> round_;   // those of turn_ that are being processed
  std::vector<Token> tokens_;  // being answered
  std::size_t jobs_ = 0;
  ServiceCounters counters_;
};

}  // namespace httpuv::files
