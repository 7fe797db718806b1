#include "server/observe/metrics_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace httpuv::server {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPlaceBytes = (sizeof(Metrics) + kPage - 1) / kPage * kPage;

}  // namespace

// The header of the file, before the places.
struct MetricsMemory::Header {
  std::atomic<std::uint64_t> place_bytes;  // two versions of this library share nothing
  std::atomic<std::uint64_t> used;
};

MetricsMemory::MetricsMemory(std::size_t count)
    : bytes_(kPage + count * kPlaceBytes), count_(count) {
  // Pages are allocated when they are first written; most of the tables stay empty.
  base_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base_ == MAP_FAILED) throw std::bad_alloc();
  static_cast<Header*>(base_)->used = count;
  take();
}

std::unique_ptr<MetricsMemory> MetricsMemory::map(int fd, std::size_t first, std::size_t count,
                                                  int* error) {
  const std::size_t bytes = kPage + kPlaces * kPlaceBytes;
  struct stat about {};
  if (fstat(fd, &about) != 0 || (static_cast<std::size_t>(about.st_size) < bytes &&
                                 ftruncate(fd, static_cast<off_t>(bytes)) != 0)) {
    *error = errno;
    return nullptr;
  }
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    *error = errno;
    return nullptr;
  }
  auto memory = std::unique_ptr<MetricsMemory>(new MetricsMemory(base, bytes, first, count));
  std::uint64_t size = 0;
  auto& header = *static_cast<Header*>(base);
  if (!header.place_bytes.compare_exchange_strong(size, kPlaceBytes) && size != kPlaceBytes) {
    *error = EINVAL;
    return nullptr;
  }
  return memory;
}

std::unique_ptr<MetricsMemory> MetricsMemory::open(int fd, std::size_t first, std::size_t count,
                                                   int* error) {
  if (first + count > kPlaces) {
    *error = EINVAL;
    return nullptr;
  }
  auto memory = map(fd, first, count, error);
  if (memory == nullptr) return nullptr;
  memory->take();
  std::atomic<std::uint64_t>& used = static_cast<Header*>(memory->base_)->used;
  std::uint64_t before = used.load();
  while (before < first + count && !used.compare_exchange_weak(before, first + count)) {
  }
  return memory;
}

std::unique_ptr<MetricsMemory> MetricsMemory::watch(int fd, int* error) {
  return map(fd, 0, 0, error);
}

void MetricsMemory::take() {
  for (std::size_t i = 0; i < count_; ++i) {
    leave(first_ + i);
    own(i).gauges.pid = static_cast<std::uint64_t>(getpid());
    own(i).gauges.first = first_;
  }
}

MetricsMemory::~MetricsMemory() {
  munmap(base_, bytes_);
}

Metrics& MetricsMemory::at(std::size_t place) const {
  return *reinterpret_cast<Metrics*>(static_cast<char*>(base_) + kPage + place * kPlaceBytes);
}

std::size_t MetricsMemory::used() const {
  return std::min<std::uint64_t>(static_cast<Header*>(base_)->used.load(), kPlaces);
}

void MetricsMemory::forget() {
  if (!shared_) return;
  static_cast<void>(mmap(base_, bytes_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
}

void MetricsMemory::leave(std::size_t place) {
  Metrics& left = at(place);
  Gauges& gauges = left.gauges;
  for (auto& each : gauges.connections) each = 0;
  for (auto* each :
       {&gauges.pid, &gauges.handed, &gauges.oldest, &gauges.oldest_ns, &gauges.subscriptions,
        &gauges.topics, &gauges.memory_bytes, &gauges.disk_bytes, &gauges.begun, &gauges.broker,
        &left.callbacks.threads, &left.callbacks.progress_ns}) {
    *each = 0;
  }
  left.counters.connections.subtract(left.counters.connections.get());
  left.callbacks.running.subtract(left.callbacks.running.get());
  left.counters.in_flight.subtract(left.counters.in_flight.get());
}

}  // namespace httpuv::server
