// The bytes that a server holds for its clients and its application, and their limits.
//
// What: the kinds of bytes that are held, how many of each (see base/charge.h), and the limits:
//   memory, disk, and request bodies in both together.
// Thread: the loop thread takes and checks; any thread may read, and destroy shared charges. The
//   mailbox counts its commands, under its lock.
// Owner: the server, and every remaining SharedCharge.
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
#include "server/message/access_record.h"

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
  // The counter of the mailbox, which outlives the queries.
  void count_commands(const std::atomic<std::size_t>* bytes) { commands_ = bytes; }

  // The access log bounds and counts what waits of it by itself, see AccessBatch.
  void count_log(std::shared_ptr<const AccessBacklog> log) { log_ = std::move(log); }

  // Applies the bounds to several budgets together. Before the loop threads run; `other` outlives
  // all queries.
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
  // Memory is used up: nothing optional is added. A single object that already exists (a finished
  // answer) may exceed the limit.
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

// The default of Limits::disk_bytes: half of the free space of the spool folder, at most 8 GiB. It
// is 8 GiB if the free space is unknown: then spooling itself fails, and the request is answered.
std::uint64_t default_disk_bytes(const std::string& folder);

}  // namespace httpuv::server
