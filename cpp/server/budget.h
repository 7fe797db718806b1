// What one server may hold for its clients and its application, and what it holds.
//
// What: the kinds of bytes that are held, how many of each (see base/charge.h), and the limits:
//   memory, disk, and request bodies in both together.
// Thread: the loop thread takes and asks; any thread may read, and give back what was shared. The
//   commands in the mailbox are counted by the mailbox, under its lock.
// Owner: the server, and every SharedCharge that is left of it.
// Failure: none; the caller refuses what does not fit.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/charge.h"
#include "server/access_record.h"

namespace httpuv::server {

enum class Held : base::Ledger::Kind {
  kHeads,        // of requests: being read, pipelined, and with the application
  kBodies,       // of requests, in memory
  kAnswers,      // of HTTP: waiting for their turn, being coded, or for the client to read
  kMessagesIn,   // of WebSockets, that the application has not used
  kMessagesOut,  // of WebSockets, that clients have not read
  kTls,          // sessions: their state, and what they have not opened yet
  kSpooling,     // bodies of requests, in memory on their way to the disk
  kSpooled,   // bodies of requests on disk; all others are in memory. The last kind of the ledger
  kCommands,  // of the application, in the mailbox
  kLog,       // records of the access log that wait for the application
};

class Budget final : public base::Ledger {
 public:
  struct Bounds {
    std::uint64_t memory;
    std::uint64_t disk;
    std::uint64_t bodies;  // in memory and on disk together
  };

  explicit Budget(const Bounds& bounds) : bounds_(bounds) {}

  // Before the loop thread runs.
  void set_disk(std::uint64_t bytes) { bounds_.disk = bytes; }
  [[nodiscard]] const Bounds& bounds() const { return bounds_; }

  [[nodiscard]] base::Charge charge(Held kind, std::uint64_t bytes = 0,
                                    std::uint64_t* tally = nullptr) {
    return {*this, static_cast<Kind>(kind), bytes, tally};
  }

  [[nodiscard]] static constexpr Kind kind_of(Held kind) { return static_cast<Kind>(kind); }
  // Where the mailbox counts, which is there as long as anyone asks.
  void count_commands(const std::atomic<std::size_t>* bytes) { commands_ = bytes; }

  // The access log bounds and counts what waits of it by itself, see AccessBatch.
  void count_log(std::shared_ptr<const AccessBacklog> log) { log_ = std::move(log); }

  // The bounds are those of several budgets together. Before the loop threads run; `other` is there
  // as long as this one is asked.
  void share_bounds_with(const Budget& other) { others_.push_back(&other); }

  [[nodiscard]] std::uint64_t used(Held kind) const;
  [[nodiscard]] std::uint64_t memory() const;
  [[nodiscard]] std::uint64_t disk() const { return used(Held::kSpooled); }
  [[nodiscard]] std::uint64_t used_by_all(Held kind) const;
  [[nodiscard]] std::uint64_t memory_of_all() const;

  // Whether so much more may be held in memory.
  [[nodiscard]] bool fits(std::uint64_t bytes) const {
    return bytes <= bounds_.memory && memory_of_all() <= bounds_.memory - bytes;
  }
  // Memory is used up: nothing is added that can be done without. What is there already (an answer
  // that was made) may exceed the limit by itself, but only once.
  [[nodiscard]] bool full() const { return memory_of_all() >= bounds_.memory; }

  enum class Room : std::uint8_t { kNow, kLater, kNever };
  // Whether so many more bytes of a body may be held, and `there` more on disk, or in memory.
  // `all`: how long it is or has become.
  [[nodiscard]] Room room_for_body(std::uint64_t bytes, std::uint64_t there, std::uint64_t all,
                                   bool on_disk) const;

 private:
  Bounds bounds_;
  std::vector<const Budget*> others_;
  const std::atomic<std::size_t>* commands_ = nullptr;
  std::shared_ptr<const AccessBacklog> log_;
};

// The default of Limits::disk_bytes: half of what is free where bodies are spooled, at most 8 GiB.
// 8 GiB if the folder cannot be asked: then spooling fails by itself, and is answered.
std::uint64_t default_disk_bytes(const std::string& folder);

}  // namespace httpuv::server
