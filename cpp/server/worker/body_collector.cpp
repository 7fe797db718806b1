#include "server/worker/body_collector.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace httpuv::server {

namespace {

constexpr std::size_t kMaxWaiting = 1024 * 1024;  // bytes that may wait for the disk

// A file that has no name; -1 and errno when the folder has no place for one.
int open_unnamed(const std::string& folder) {
#ifdef O_TMPFILE
  const int unnamed = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (unnamed >= 0) return unnamed;
#endif
  std::string path = folder + "/httpuv-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) ::unlink(path.c_str());
  return fd;
}

// Writes all of it at the offset; 0 or errno.
int write_all(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return 0;
}

}  // namespace

// Of the job while there is one.
struct BodyCollector::Writing {
  std::string folder{};
  base::Descriptor file{};
  std::string bytes{};
  std::uint64_t written = 0;
  int error = 0;

  void run() {
    if (file.get() < 0) file = base::Descriptor(open_unnamed(folder));
    error = file.get() < 0 ? errno : write_all(file.get(), bytes, written);
    written += bytes.size();
  }
};

struct BodyCollector::Spool {
  net::Reactor& loop;
  const SpoolFolder& folder;
  Budget& budget;
  std::size_t memory_bytes;
  std::function<void()> progress;  // emptied when the collector goes away

  base::Charge memory{};
  base::Charge disk{};
  std::string waiting{};  // in memory for good, or not yet given to a job
  std::size_t given = 0;  // bytes of `writing` while the job has them
  std::uint64_t length = 0;
  bool spooling = false;
  bool ended = false;
  int error = 0;
  bool busy = false;  // a job writes
  std::shared_ptr<Writing> writing{};

  void count() {
    memory.resize(waiting.size() + given);
    if (spooling) disk.resize(length);
  }
};

BodyCollector::BodyCollector(net::Reactor& loop, Budget& budget, const SpoolFolder& folder,
                             std::size_t memory_bytes, std::function<void()> progress)
    : spool_(new Spool{.loop = loop,
                       .folder = folder,
                       .budget = budget,
                       .memory_bytes = memory_bytes,
                       .progress = std::move(progress),
                       .memory = budget.charge(Held::kBodies),
                       .disk = budget.charge(Held::kSpooled)}) {}

BodyCollector::~BodyCollector() {
  spool_->progress = nullptr;
}

Budget::Room BodyCollector::room_for(std::uint64_t bytes,
                                     std::optional<std::uint64_t> announced) const {
  const Spool& s = *spool_;
  const std::uint64_t all = announced.value_or(s.length + bytes);
  const bool on_disk = all > s.memory_bytes;
  // What was in memory goes to the disk with the piece that is too much for memory.
  const std::uint64_t there = on_disk && !s.spooling ? s.length + bytes : bytes;
  return s.budget.room_for_body(bytes, there, all, on_disk);
}

void BodyCollector::append(std::string_view bytes) {
  Spool& s = *spool_;
  s.length += bytes.size();
  s.waiting.append(bytes);
  if (s.length > s.memory_bytes && !s.spooling) {
    s.spooling = true;
    s.memory = s.budget.charge(Held::kSpooling);
  }
  if (s.spooling) write_some(spool_);
  s.count();
}

void BodyCollector::end() {
  spool_->ended = true;
}

bool BodyCollector::full() const {
  return spool_->spooling && spool_->waiting.size() >= kMaxWaiting;
}

bool BodyCollector::finished() const {
  const Spool& s = *spool_;
  return s.ended && (!s.spooling || (!s.busy && s.waiting.empty()));
}

int BodyCollector::error() const {
  return spool_->error;
}

RequestBody BodyCollector::take(base::Charge& memory) {
  Spool& s = *spool_;
  RequestBody body;
  body.length = s.length;
  if (s.spooling) {
    body.file = std::move(s.writing->file);
    body.on_disk = s.disk.share();
  } else {
    body.bytes = std::move(s.waiting);
    memory = std::move(s.memory);
  }
  return body;
}

void BodyCollector::write_some(const std::shared_ptr<Spool>& spool) {
  Spool& s = *spool;
  if (s.busy || s.error != 0 || s.waiting.empty()) return;
  if (s.writing == nullptr) s.writing = std::make_shared<Writing>(Writing{.folder = s.folder.path});
  s.writing->bytes.clear();
  s.writing->bytes.swap(s.waiting);
  s.busy = true;
  s.given = s.writing->bytes.size();
  s.loop.work_on_disk(
      s.folder.device, [job = s.writing] { job->run(); },
      [spool](bool ran) {
        spool->busy = false;
        spool->error = ran ? spool->writing->error : ENOMEM;
        spool->given = 0;
        if (!spool->progress) return;  // the request is not wanted any more
        try {
          write_some(spool);
        } catch (const std::bad_alloc&) {
          spool->busy = false;
          spool->error = ENOMEM;
        }
        spool->count();
        const std::function<void()> progress = spool->progress;  // it may end the collector
        progress();
      });
}

}  // namespace httpuv::server
