#include "net/stream/outbox.h"

#include <algorithm>
#include <array>
#include <utility>

#include "net/file/file_slice.h"
#include "net/stream/stream.h"

namespace httpuv::net {

namespace {

constexpr std::size_t kMaxBuffers = 32;    // of one libuv write
constexpr std::size_t kMergeBelow = 1024;  // smaller pieces are cheaper copied than kept
constexpr std::size_t kMergedChunk =
    std::size_t{64} * 1024;                                // up to which pieces are copied together
constexpr std::size_t kTailSize = std::size_t{4} * 1024;   // see write_tail()
constexpr std::size_t kCopySize = std::size_t{64} * 1024;  // the same where there is no sendfile

}  // namespace

// A read on a disk thread, which owns what it touches: it may outlive the outbox, which takes
// itself out, and the loop.
struct Outbox::DiskRead {
  Outbox* outbox;  // of the loop thread
  FileRef file;
  std::uint64_t offset;
  std::size_t length;
  std::unique_ptr<char[]> into;  // null: into the page cache only
  ssize_t result = 0;
};

Outbox::~Outbox() {
  stop();
}

void Outbox::stop() {
  withdraw();
  if (disk_read_) disk_read_->outbox = nullptr;
  disk_read_.reset();
}

std::string_view Outbox::bytes_of(const Chunk& chunk) {
  if (const auto* owned = std::get_if<Owned>(&chunk)) {
    return std::string_view(owned->bytes).substr(owned->sent);
  }
  return std::get<Shared>(chunk).bytes;
}

std::size_t Outbox::cost_of(const Chunk& chunk) {
  const auto* owned = std::get_if<Owned>(&chunk);
  return sizeof(Chunk) + (owned != nullptr ? owned->bytes.capacity() : 0);
}

void Outbox::add(Chunk&& chunk) {
  charge_.grow(cost_of(chunk));
  chunks_.push_back(std::move(chunk));
}

void Outbox::add_copy(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (chunks_.size() > chunks_in_flight_) {
    auto* last = std::get_if<Owned>(&chunks_.back());
    if (last != nullptr && last->bytes.size() + bytes.size() <= kMergedChunk) {
      const std::size_t before = last->bytes.capacity();
      last->bytes += bytes;
      charge_.grow(last->bytes.capacity() - before);
      return;
    }
  }
  add(Owned{std::string(bytes), 0});
}

void Outbox::add_owned(std::string&& bytes, std::size_t sent) {
  if (bytes.size() - sent < kMergeBelow) return add_copy(std::string_view(bytes).substr(sent));
  bytes_ += bytes.size() - sent;
  add(Owned{std::move(bytes), sent});
}

void Outbox::add_shared(std::string_view bytes, const std::shared_ptr<const void>& owner) {
  if (bytes.size() < kMergeBelow) return add_copy(bytes);
  bytes_ += bytes.size();
  add(Shared{bytes, owner});
}

void Outbox::add_file(FileRef file, std::uint64_t offset, std::uint64_t length) {
  if (length > 0) add(FileRange{std::move(file), offset, length});
}

std::uint64_t Outbox::in_flight_written() const {
  if (!in_flight()) return 0;
  return bytes_in_flight_ - uv_stream_get_write_queue_size(&stream_.handle_.stream);
}

std::size_t Outbox::queued() const {
  return chunks_in_flight_ > 0 ? bytes_ - in_flight_written() : bytes_;
}

int Outbox::start(std::size_t budget) {
  if (in_flight() || disk_read_ || waiting()) return 0;
  budget_ = budget;
  return pump();
}

// Until nothing is left or something is under way.
int Outbox::pump() {
  while (!chunks_.empty() && !in_flight() && !disk_read_ && !waiting()) {
    auto* range = std::get_if<FileRange>(&chunks_.front());
    const int error = range != nullptr ? send_range(*range) : write_bytes();
    if (error != 0) return error;
  }
  return 0;
}

int Outbox::write_bytes() {
  std::array<uv_buf_t, kMaxBuffers> buffers;
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const Chunk& chunk : chunks_) {
    if (count == kMaxBuffers || std::holds_alternative<FileRange>(chunk)) break;
    const std::string_view piece = bytes_of(chunk);
    // libuv does not write to its buffers; its type has no const.
    buffers[count++] = {const_cast<char*>(piece.data()), piece.size()};
    bytes += piece.size();
  }
  chunks_in_flight_ = count;
  return submit(buffers.data(), static_cast<unsigned>(count), bytes);
}

int Outbox::submit(const uv_buf_t* buffers, unsigned count, std::size_t bytes) {
  request_.data = this;
  bytes_in_flight_ = bytes;
  const int error =
      uv_write(&request_, &stream_.handle_.stream, buffers, count, &Outbox::on_uv_written);
  if (error != 0) bytes_in_flight_ = chunks_in_flight_ = 0;
  return error;
}

void Outbox::on_uv_written(uv_write_t* request, int status) {
  auto& self = *static_cast<Outbox*>(request->data);
  // The handle is closing, or reading failed in the meantime: nobody wants to know.
  if (self.stream_.closing() || self.stream_.error_ != 0) return;
  if (status < 0) return self.stream_.outbox_failed(status);
  self.written();
}

void Outbox::written() {
  const std::size_t bytes = std::exchange(bytes_in_flight_, 0);
  const std::size_t chunks = std::exchange(chunks_in_flight_, 0);
  if (chunks > 0) {
    stream_.written_ += bytes;
    bytes_ -= bytes;
    const auto end = chunks_.begin() + static_cast<std::ptrdiff_t>(chunks);
    std::size_t cost = 0;
    std::for_each(chunks_.begin(), end, [&cost](const Chunk& each) { cost += cost_of(each); });
    charge_.resize(charge_.bytes() - cost);
    chunks_.erase(chunks_.begin(), end);
  } else {
    advance(std::get<FileRange>(chunks_.front()), bytes);
  }
  budget_ = Stream::kFileSlice;
  go_on();
}

void Outbox::run_turn() {
  budget_ = Stream::kFileSlice;
  go_on();
}

// After something that was under way has ended. May destroy this object.
void Outbox::go_on() {
  const int error = pump();
  if (error != 0) return stream_.outbox_failed(error);
  if (empty()) stream_.outbox_drained();
}

void Outbox::advance(FileRange& range, std::size_t count) {
  stream_.written_ += count;
  range.offset += count;
  range.length -= count;
  if (range.length > 0) return;
  charge_.resize(charge_.bytes() - cost_of(chunks_.front()));
  chunks_.pop_front();
  warm_until_ = 0;
  copying_ = false;
}

int Outbox::send_range(FileRange& range) {
  Loop& loop = stream_.loop();
  if (copying_ || !loop.use_sendfile()) return write_tail(range);
  if (budget_ == 0) {
    loop.run_next_turn(*this);
    return 0;
  }
  const auto slice = static_cast<std::size_t>(std::min<std::uint64_t>(range.length, budget_));
  const int file = range.file.fd();
  if (!range.file.unchanged()) return UV_EOF;
  if (range.offset + slice > warm_until_ &&
      !loop.residency().check(file, range.offset, slice, loop.now_ms())) {
    read_on_disk_thread(range, slice, nullptr);
    return 0;
  }
  const ssize_t sent = send_slice(stream_.fd(), file, range.offset, slice);
  if (sent == 0) return UV_EOF;
  if (sent == UV_ENOTSUP) {
    copying_ = true;
    return 0;
  }
  if (sent == UV_EAGAIN) return write_tail(range);
  if (sent < 0) return static_cast<int>(sent);
  const auto count = static_cast<std::size_t>(sent);
  const bool full = count < slice;  // or the file ended, as reading its tail will show
  budget_ -= count;
  advance(range, count);  // at the end of the range: it is gone now
  return full ? write_tail(range) : 0;
}

// The socket is full. libuv reports writability only as the completion of a write, so it gets one:
// a few kilobytes of the file (without sendfile: as much as is sensible to copy at a time).
int Outbox::write_tail(FileRange& range) {
  const bool sendfile = stream_.loop().use_sendfile() && !copying_;
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(range.length, sendfile ? kTailSize : kCopySize));
  tail_ = std::make_unique_for_overwrite<char[]>(size);
  const ssize_t count = read_resident(range.file.fd(), range.offset, tail_.get(), size);
  if (count == 0) return UV_EOF;
  if (count == UV_EAGAIN) {
    read_on_disk_thread(range, size, std::move(tail_));
    return 0;
  }
  if (count < 0) return static_cast<int>(count);
  if (!range.file.unchanged()) return UV_EOF;
  const uv_buf_t buffer{tail_.get(), static_cast<std::size_t>(count)};
  return submit(&buffer, 1, static_cast<std::size_t>(count));
}

void Outbox::read_on_disk_thread(const FileRange& range, std::size_t length,
                                 std::unique_ptr<char[]> into) {
  disk_read_ =
      std::make_shared<DiskRead>(DiskRead{this, range.file, range.offset, length, std::move(into)});
  stream_.loop().work_on_disk(
      range.file.device(),
      [read = disk_read_] {
        const int file = read->file.fd();
        read->result = read->into == nullptr
                           ? warm(file, read->offset, read->length)
                           : read_blocking(file, read->offset, read->into.get(), read->length);
      },
      [read = disk_read_](bool ran) {
        if (!ran) read->result = UV_ENOMEM;
        if (read->outbox != nullptr) read->outbox->disk_read_done(*read);
      });
}

void Outbox::disk_read_done(DiskRead& read) {
  disk_read_.reset();
  if (read.result < 0) return stream_.outbox_failed(static_cast<int>(read.result));
  if (read.into == nullptr) {
    warm_until_ = read.offset + read.length;
    budget_ = Stream::kFileSlice;
    return go_on();
  }
  if (read.result == 0 || !read.file.unchanged()) return stream_.outbox_failed(UV_EOF);
  tail_ = std::move(read.into);
  const uv_buf_t buffer{tail_.get(), static_cast<std::size_t>(read.result)};
  const int error = submit(&buffer, 1, buffer.len);
  if (error != 0) stream_.outbox_failed(error);
}

}  // namespace httpuv::net
