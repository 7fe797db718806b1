// The threads for work that would block a loop: disks and computing, separately.
//
// What: two sets of threads. Computing has its own, so that no disk starves it nor the other way
//   round. A lane is a separate queue.
//   Disks: a lane for each device. It may take one more thread only while it has fewer than there
//   are free ones: alone it gets half of them, and however many jobs hang on one device, others
//   find a thread.
//   Computing: a lane for each connection (or other source). Its jobs run in order, one at a time,
//   in slices; between two slices the other lanes have theirs. Of jobs that have begun, and so hold
//   memory for their state, there are at most kMaxBegun.
// Thread: submit() on any thread.
// Ownership: by the server, shared with its loops. The destructor drops what has not begun and
//   waits for the rest: for computing until its slices end, for disks at most kDiskPatience. What
//   hangs longer is abandoned: its thread keeps what the job owns and ends when the disk answers.
//   In a forked child the threads do not exist and nothing here may be called or destroyed: leak
//   it.
// Failure: start() answers a negative libuv error number (UV_EAGAIN: no more threads) and leaves
//   nothing behind; after that nothing fails but memory, which submit() throws (std::bad_alloc).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "net/lanes/work.h"

namespace httpuv::net {

class Lanes {
 public:
  static constexpr unsigned kDiskThreads = 8;
  static constexpr unsigned kMaxComputeThreads = 4;
  static constexpr unsigned kMaxBegun = 32;
  static constexpr std::chrono::milliseconds kDiskPatience{200};

  static std::shared_ptr<Lanes> start(int* error);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // `device`: st_dev of what the job touches; 0 if it is not known, which is a separate lane.
  void disk(std::uint64_t device, const std::shared_ptr<Work>& work);
  void compute(std::uint64_t lane, const std::shared_ptr<Work>& work);

 private:
  class Pool;
  Lanes();

  std::shared_ptr<Pool> disk_;
  std::shared_ptr<Pool> compute_;
};

}  // namespace httpuv::net
