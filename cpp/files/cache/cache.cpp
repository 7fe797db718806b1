#include "files/cache/cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

namespace httpuv::files {
namespace {

// PATH_MAX: no system call takes more, so there is no such file.
constexpr std::size_t kMaxPath = 4096;

std::int64_t monotonic_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Aim aim_of(const Match& match) {
  if (match.hidden || match.rest.size() >= kMaxPath) return Aim::kHidden;
  return match.directory ? Aim::kDirectory : Aim::kFile;
}

// Where the files of the node are, as far as it is known.
std::uint64_t device_of(const Node& node) {
  return node.watches.empty() ? node.route->device : node.watches.front()->witness.stamp.device;
}

// On a disk's thread.
void run(Job& job) {
  job.held = !job.recheck.empty() &&
             std::all_of(job.recheck.begin(), job.recheck.end(), [](const Witness& witness) {
               return take_stamp(witness.path) == witness.stamp;
             });
  if (!job.held) job.finding = job.resolver->resolve(job.lookup);
}

}  // namespace

OpenFileCache::OpenFileCache(Executor& executor, Sink& sink, const CacheLimits& limits)
    : executor_(executor),
      sink_(sink),
      resolver_(std::make_shared<Resolver>(limits)),
      watches_(limits.in_core_ms),
      store_(limits),
      absences_(limits.absent) {}

void OpenFileCache::resolve(const Token& token, const Match& match, const ListingView& view,
                            const std::shared_ptr<const RouteTable>& table) {
  NodeKey key{match.route, match.rest, aim_of(match)};
  // Of other paths there is one form, however it is asked for.
  if (key.aim == Aim::kDirectory && match.route->options.listing) key.view = view;
  if (key.aim == Aim::kHidden) key.rest = {};
  Node* node = store_.find(key);
  if (node == nullptr) {
    node = &store_.add(key);
    node->resolution.route = match.route;
    node->resolution.table = table;
    const Options& options = match.route->options;
    if (key.aim == Aim::kHidden && (options.fallthrough || options.not_found.empty())) {
      // Nothing to look up.
      node->resolution.kind =
          options.fallthrough ? ResolutionKind::kFallthrough : ResolutionKind::kNotFound;
      node->ready = true;
      store_.count(*node);
    }
  }
  node->waiting.push_back(token);
  schedule(*node);
}

void OpenFileCache::schedule(Node& node) {
  // While a job is under way, finish_job() serves those that wait.
  if (node.scheduled || node.job != nullptr) return;
  node.scheduled = true;
  turn_.push_back(&node);
}

void OpenFileCache::end_turn() {
  // A request that is answered may be followed by another.
  while (!turn_.empty()) {
    begin_round();
    round_.swap(turn_);
    for (Node* node : round_) process(*node);
    round_.clear();
  }
}

void OpenFileCache::begin_round() {
  watches_.begin_round(monotonic_ms());
}

template <class Call>
void OpenFileCache::guarded(Node& node, const Call& call) {
  try {
    call();
  } catch (const std::bad_alloc&) {
    give_up(node);
  }
}

// The next request looks anew.
void OpenFileCache::give_up(Node& node) {
  if (std::exchange(node.job, nullptr) != nullptr) --jobs_;
  node.ready = false;
  Resolution failed;
  failed.route = node.route;
  failed.table = node.resolution.table;
  failed.kind = ResolutionKind::kError;
  failed.error = ENOMEM;
  deliver(node.riding, failed);
  deliver(node.waiting, failed);
}

void OpenFileCache::process(Node& node) {
  node.scheduled = false;
  guarded(node, [&] {
    if (answer_from_cache(node) || answer_from_absences(node)) return settle(node);
    start_job(node);
  });
}

bool OpenFileCache::answer_from_cache(Node& node) {
  if (!node.ready || !watches_.quick(node.watches)) return false;
  if (!watches_.hold(node.watches)) {
    node.ready = false;
    return false;
  }
  store_.touch(node);
  counters_.hits += node.waiting.size();
  deliver(node.waiting, node.resolution);
  return true;
}

bool OpenFileCache::answer_from_absences(Node& node) {
  if (node.ready || node.orphan || node.aim == Aim::kHidden) return false;
  Absence* absence = absences_.find(node.route, node.rest);
  if (absence == nullptr) return false;
  if (!watches_.quick(absence->watches)) return false;
  if (!watches_.hold(absence->watches)) {
    absences_.remove(*absence);
    return false;
  }
  counters_.absent_hits += node.waiting.size();
  const Resolution resolution = absence->resolution;
  deliver(node.waiting, resolution);
  return true;
}

void OpenFileCache::start_job(Node& node) {
  node.job = std::make_shared<Job>();
  ++jobs_;
  Job& job = *node.job;
  job.resolver = resolver_;
  job.table = node.resolution.table;
  job.lookup.route = node.route;
  job.lookup.mime = &node.resolution.table->mime();
  job.lookup.rest = node.rest;
  job.lookup.directory = node.aim == Aim::kDirectory;
  job.lookup.view = node.view;
  job.lookup.hidden = node.aim == Aim::kHidden;
  if (node.ready) {
    ++counters_.pool_checks;
    job.recheck.reserve(node.watches.size());
    for (const auto& watch : node.watches) job.recheck.push_back(watch->witness);
  } else {
    ++counters_.opens;
  }
  node.riding.swap(node.waiting);
  executor_.read(
      device_of(node), [job = node.job] { run(*job); },
      [this, &node](bool ran) {
        guarded(node, [&] {
          if (ran && node.job->finding.gzip != nullptr) return start_coding(node);
          finish_job(node, ran);
        });
      });
}

void OpenFileCache::start_coding(Node& node) {
  executor_.compute(
      [job = node.job] { return code_some(job->finding, job->lookup.route->options); },
      [this, &node](bool ran) { guarded(node, [&] { finish_job(node, ran); }); });
}

void OpenFileCache::finish_job(Node& node, bool ran) {
  const std::shared_ptr<Job> job = std::move(node.job);
  --jobs_;
  if (!ran) {
    job->held = false;
    job->finding = Finding{};
    job->finding.kind = ResolutionKind::kError;
    job->finding.error = ENOMEM;
    job->finding.settled = false;
  }
  begin_round();
  if (job->held) {
    watches_.confirm(node.watches);
    store_.touch(node);
  } else {
    const int error = job->finding.error;
    accept(node, std::move(job->finding));
    if (error == EMFILE || error == ENFILE) store_.drop_descriptors();
  }
  deliver(node.riding, node.resolution);
  settle(node);
  store_.trim();
}

void OpenFileCache::accept(Node& node, Finding&& finding) {
  store_.uncount(node);
  Resolution& resolution = node.resolution;
  resolution.kind = finding.kind;
  resolution.error = finding.error;
  resolution.entry = std::move(finding.entry);
  resolution.location = finding.location.empty()
                            ? nullptr
                            : std::make_shared<const std::string>(std::move(finding.location));
  node.ready = finding.settled && !node.orphan;
  node.watches.clear();
  if (!node.ready) return;
  node.watches = watches_.watch(std::move(finding.witnesses));
  if (finding.absent) {
    // The whole subtree is missing; the node itself need not stay.
    absences_.add({node.route, std::move(*finding.absent), resolution, std::move(node.watches)});
    node.watches.clear();
    node.ready = false;
  } else {
    store_.count(node);
  }
}

void OpenFileCache::deliver(std::vector<Token>& tokens, const Resolution& resolution) {
  tokens_.swap(tokens);
  for (const Token& token : tokens_) sink_.on_resolved(token, resolution);
  tokens_.clear();
}

// After an answer: requests that came meanwhile are next; a node without any stays only if its
// resolution may be used again.
void OpenFileCache::settle(Node& node) {
  if (!node.waiting.empty()) {
    schedule(node);
  } else if (node.idle() && (!node.ready || node.orphan)) {
    store_.remove(node);
  }
}

void OpenFileCache::clear() {
  absences_.clear();
  store_.orphan_all();
}

ServiceCounters OpenFileCache::counters() const {
  ServiceCounters counters = counters_;
  counters.checks = watches_.checks();
  counters.evictions = store_.evictions();
  counters.entries = store_.entries();
  counters.absent = absences_.size();
  counters.bytes = store_.bytes();
  counters.descriptors = store_.descriptors();
  return counters;
}

}  // namespace httpuv::files
