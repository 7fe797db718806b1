// The data that a stream could not send at once.
//
// What: bytes (copied, moved or shared) and file ranges, in order; sends them as the socket
//   takes them. Exactly one libuv write is under way at a time, and its completion is the only
//   sign of writability there is: where sendfile(2) fills the socket, the next few kilobytes of
//   the file are given to libuv for that sake.
// Thread: the loop thread. A file that is not in the page cache is read on a disk thread.
// Ownership: by its stream, from the moment something is queued until all is sent or the stream
//   is gone; libuv refers to it while a write is under way, which ends before the stream's handle
//   does.
// Failure: start() returns an error number; what fails later goes to Stream::outbox_failed().
// More than 25 members and methods, because bytes and files are added and sent in different ways.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/charge.h"
#include "net/file/file_ref.h"
#include "net/loop/loop.h"
#include "net/stream/chunks.h"
#include "net/stream/disk_read.h"

namespace httpuv::net {

class Stream;

class Outbox final : private TurnTask {
 public:
  // What is queued here in memory of its own is charged to `charge`.
  Outbox(Stream& stream, base::Charge&& charge) : stream_(stream) {
    chunks_.charge_to(std::move(charge));
  }
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  void add_copy(std::string_view bytes) { chunks_.add_copy(bytes, chunks_in_flight_); }
  void add_owned(std::string&& bytes, std::size_t sent) {
    chunks_.add_owned(std::move(bytes), sent, chunks_in_flight_);
  }
  void add_shared(std::string_view bytes, const std::shared_ptr<const void>& owner,
                  std::size_t held) {
    chunks_.add_shared(bytes, owner, held, chunks_in_flight_);
  }
  void add_file(FileRef file, std::uint64_t offset, std::uint64_t length) {
    chunks_.add_file(std::move(file), offset, length);
  }

  // Sends what can be sent now, unless something is under way already; of file ranges at most
  // `budget` bytes before the next turn. 0 or an error.
  int start(std::size_t budget);
  // Nothing left.
  bool empty() const { return chunks_.empty(); }
  // Nothing more is sent, and the stream not called again. What libuv has, it still gives back.
  void stop();

  // Bytes not taken by the kernel, file ranges aside.
  std::size_t queued() const;
  // Bytes the kernel took of the write that is under way.
  std::uint64_t in_flight_written() const;

 private:
  using FileRange = Chunks::FileRange;

  static void on_uv_written(uv_write_t* request, int status) noexcept;
  bool in_flight() const { return bytes_in_flight_ > 0; }

  int pump();
  int write_bytes();
  int send_range(FileRange& range);
  int write_tail(FileRange& range);
  int submit(const uv_buf_t* buffers, unsigned count, std::size_t bytes);
  void advance(std::size_t count);
  void read_on_disk_thread(const FileRange& range, std::size_t length, bool keep);
  void disk_read_done(DiskRead& read);
  void written();
  void run_turn() noexcept override;
  void go_on();

  Stream& stream_;
  Chunks chunks_;
  std::size_t bytes_in_flight_ = 0;   // given to libuv
  std::size_t chunks_in_flight_ = 0;  // at the front; 0 while a file's tail is in flight
  std::size_t budget_ = 0;            // what sendfile may still take this turn
  std::uint64_t warm_until_ =
      0;                  // the front file range's offset up to which it was read into memory
  bool copying_ = false;  // sendfile does not work for the front file range
  std::unique_ptr<char[]> tail_;
  std::shared_ptr<DiskRead> disk_read_;  // under way
  uv_write_t request_;
};

}  // namespace httpuv::net
