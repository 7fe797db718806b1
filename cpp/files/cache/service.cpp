#include "files/cache/service.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "files/cache/cache.h"

namespace httpuv::files {
namespace {

// Most descriptors of a process are for its connections.
CacheLimits within_process(CacheLimits limits) {
  struct rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    limits.descriptors = std::min(limits.descriptors, static_cast<std::size_t>(files.rlim_cur / 4));
  }
  return limits;
}

}  // namespace

FileService::FileService(Executor& executor, Sink& sink, const CacheLimits& limits)
    : cache_(std::make_unique<OpenFileCache>(executor, sink, within_process(limits))),
      sink_(sink),
      routes_(std::make_shared<const RouteTable>(std::vector<Route>(), nullptr)) {}

FileService::~FileService() = default;

void FileService::set_routes(std::shared_ptr<const RouteTable> routes) {
  cache_->clear();
  routes_ = std::move(routes);
}

const RouteTable& FileService::routes() const {
  return *routes_;
}

Match FileService::classify(std::string_view raw_path) const {
  return routes_->match(raw_path, scratch_);
}

void FileService::resolve(const Token& token, const Match& match, const ListingView& view) {
  cache_->resolve(token, match, view, routes_);
}

void FileService::resolve(const Token& token, std::string_view raw_path, const ListingView& view) {
  const Match match = classify(raw_path);
  if (match.kind == MatchKind::kRoute) return resolve(token, match, view);
  unrouted_.push_back(token);
}

void FileService::end_turn() {
  // A request that is answered may be followed by another.
  do {
    answer_unrouted();
    cache_->end_turn();
  } while (!unrouted_.empty());
}

void FileService::answer_unrouted() {
  if (unrouted_.empty()) return;
  Resolution resolution;
  resolution.kind = ResolutionKind::kFallthrough;
  resolution.table = routes_;
  const std::vector<Token> tokens = std::exchange(unrouted_, {});
  for (const Token& token : tokens) sink_.on_resolved(token, resolution);
}

bool FileService::idle() const {
  return unrouted_.empty() && cache_->idle();
}

ServiceCounters FileService::counters() const {
  return cache_->counters();
}

}  // namespace httpuv::files
