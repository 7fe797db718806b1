#include "net/stream/outbox.h"

#include <algorithm>
#include <array>
#include <utility>

#include "net/file/file_slice.h"
#include "net/stream/stream.h"

namespace httpuv::net {

namespace {

constexpr std::size_t kMaxBuffers = 32;                    // of one libuv write
constexpr std::size_t kTailSize = std::size_t{4} * 1024;   // see write_tail()
constexpr std::size_t kCopySize = std::size_t{64} * 1024;  // the same where there is no sendfile

}  // namespace

Outbox::~Outbox() {
  stop();
}

void Outbox::stop() {
  withdraw();
  if (disk_read_) disk_read_->abandon();
  disk_read_.reset();
}

std::uint64_t Outbox::in_flight_written() const {
  if (!in_flight()) return 0;
  return bytes_in_flight_ - uv_stream_get_write_queue_size(&stream_.handle_.stream);
}

std::size_t Outbox::queued() const {
  return chunks_.bytes() - (chunks_in_flight_ > 0 ? in_flight_written() : 0);
}

int Outbox::start(std::size_t budget) {
  if (in_flight() || disk_read_ || waiting()) return 0;
  budget_ = budget;
  return pump();
}

// Until nothing is left or something is under way.
int Outbox::pump() {
  while (!chunks_.empty() && !in_flight() && !disk_read_ && !waiting()) {
    FileRange* const range = chunks_.file_at(0);
    const int error = range != nullptr ? send_range(*range) : write_bytes();
    if (error != 0) return error;
  }
  return 0;
}

int Outbox::write_bytes() {
  std::array<uv_buf_t, kMaxBuffers> buffers;
  std::size_t count = 0;
  std::size_t bytes = 0;
  while (count < std::min(kMaxBuffers, chunks_.count()) && chunks_.file_at(count) == nullptr) {
    const std::string_view piece = chunks_.bytes_at(count);
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

void Outbox::on_uv_written(uv_write_t* request, int status) noexcept {
  auto& self = *static_cast<Outbox*>(request->data);
  // The handle is closing, or reading failed in the meantime: nothing to report.
  if (self.stream_.closing() || self.stream_.error_ != 0) return;
  Stream& stream = self.stream_;
  stream.guarded([&] { status < 0 ? stream.outbox_failed(status) : self.written(); });
}

void Outbox::written() {
  const std::size_t bytes = std::exchange(bytes_in_flight_, 0);
  const std::size_t chunks = std::exchange(chunks_in_flight_, 0);
  if (chunks > 0) {
    stream_.written_ += bytes;
    chunks_.drop(chunks);
  } else {
    advance(bytes);
  }
  budget_ = Stream::kFileSlice;
  go_on();
}

void Outbox::run_turn() noexcept {
  budget_ = Stream::kFileSlice;
  stream_.guarded([this] { go_on(); });
}

// After something that was under way has ended. May destroy this object.
void Outbox::go_on() {
  const int error = pump();
  if (error != 0) return stream_.outbox_failed(error);
  if (empty()) stream_.outbox_drained();
}

// So many bytes of the file in front were sent.
void Outbox::advance(std::size_t count) {
  stream_.written_ += count;
  const bool ends = chunks_.file_at(0)->length == count;
  chunks_.advance(count);
  if (!ends) return;
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
    read_on_disk_thread(range, slice, false);
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
  advance(count);  // at the end of the range: it is gone now
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
    read_on_disk_thread(range, size, true);
    return 0;
  }
  if (count < 0) return static_cast<int>(count);
  if (!range.file.unchanged()) return UV_EOF;
  const uv_buf_t buffer{tail_.get(), static_cast<std::size_t>(count)};
  return submit(&buffer, 1, static_cast<std::size_t>(count));
}

void Outbox::read_on_disk_thread(const FileRange& range, std::size_t length, bool keep) {
  disk_read_ =
      DiskRead::start(stream_.loop(), range.file, range.offset, length, keep,
                      [this](DiskRead& read) { stream_.guarded([&] { disk_read_done(read); }); });
}

void Outbox::disk_read_done(DiskRead& read) {
  disk_read_.reset();
  if (read.result() < 0) return stream_.outbox_failed(static_cast<int>(read.result()));
  if (!read.kept()) {
    warm_until_ = read.end();
    budget_ = Stream::kFileSlice;
    return go_on();
  }
  if (read.result() == 0 || !read.file().unchanged()) return stream_.outbox_failed(UV_EOF);
  tail_ = read.take();
  const uv_buf_t buffer{tail_.get(), static_cast<std::size_t>(read.result())};
  const int error = submit(&buffer, 1, buffer.len);
  if (error != 0) stream_.outbox_failed(error);
}

}  // namespace httpuv::net
