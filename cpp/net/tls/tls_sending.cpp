// Writing: what a TlsStream seals when the socket takes it.
#include <algorithm>
#include <cstring>
#include <utility>

#include "net/file/file_slice.h"
#include "net/tls/tls_stream.h"

namespace httpuv::net::tls {

int TlsStream::refusal() const {
  if (raw_.closing()) return UV_EBADF;
  if (error_ != 0) return error_;
  if (state_ == State::kRefused) return UV_ECONNABORTED;
  return shutdown_ ? static_cast<int>(UV_EPIPE) : 0;
}

// Whether nothing is in front of it, and it is one record.
bool TlsStream::writes_at_once(std::size_t bytes) const {
  return state_ == State::kOpen && bytes <= Endpoint::kRecord && !busy();
}

int TlsStream::write(std::string_view a, std::string_view b) {
  if (const int error = refusal(); error != 0) return error;
  return attempt([&] {
    if (writes_at_once(a.size() + b.size())) return seal(a, b);
    chunks_.add_copy(a);
    chunks_.add_copy(b);
    return start();
  });
}

int TlsStream::write_owned(std::string_view head, std::string&& body) {
  if (const int error = refusal(); error != 0) return error;
  return attempt([&] {
    if (writes_at_once(head.size() + body.size())) return seal(head, body);
    chunks_.add_copy(head);
    if (!body.empty()) chunks_.add_owned(std::move(body), 0);
    return start();
  });
}

int TlsStream::write_shared(std::string_view head, std::string_view body,
                            const std::shared_ptr<const void>& owner, std::size_t held) {
  if (const int error = refusal(); error != 0) return error;
  return attempt([&] {
    if (writes_at_once(head.size() + body.size())) return seal(head, body);
    chunks_.add_copy(head);
    if (!body.empty()) chunks_.add_shared(body, owner, held);
    return start();
  });
}

int TlsStream::send_file(std::string_view head, FileRef file, std::uint64_t offset,
                         std::uint64_t length) {
  if (length == 0) return write(head);
  if (const int error = refusal(); error != 0) return error;
  if (!file.unchanged()) return fail(UV_EOF);  // it may have waited for its turn
  return attempt([&] {
    chunks_.add_copy(head);
    chunks_.add_file(std::move(file), offset, length);
    return start();
  });
}

// Both in one record.
int TlsStream::seal(std::string_view a, std::string_view b) {
  if (!b.empty() && !a.empty()) {
    char* const into = endpoint_.gathered().data();
    std::memcpy(into, a.data(), a.size());
    std::memcpy(into + a.size(), b.data(), b.size());
    a = {into, a.size() + b.size()};
  } else if (a.empty()) {
    a = b;
  }
  if (a.empty()) return 0;
  if (session_.write(a) != Session::Status::kDone) return fail(UV_EPROTO);
  return flush();
}

int TlsStream::flush() {
  std::string& sealed = endpoint_.sealed();
  if (sealed.empty()) return 0;
  const int error = raw_.write_owned({}, std::move(sealed));
  sealed.clear();  // it was moved only if the socket did not take it all
  return error != 0 ? fail(error) : 0;
}

// After something was added.
int TlsStream::start() {
  if (state_ != State::kOpen || raw_.busy() || disk_read_ || waiting()) return 0;
  budget_ = Stream::kFileSlice;
  return pump();
}

// Until nothing is left or something is under way.
int TlsStream::pump() {
  while (!chunks_.empty() && !raw_.busy() && !disk_read_) {
    if (budget_ == 0) {
      raw_.loop().run_next_turn(*this);
      return 0;
    }
    const int error = seal_front();
    if (error != 0) return error;
  }
  return chunks_.empty() && shutdown_ ? end_sending() : 0;
}

int TlsStream::seal_front() {
  std::string_view piece;
  const bool long_bytes =
      chunks_.file_at(0) == nullptr && (piece = chunks_.bytes_at(0)).size() >= Endpoint::kRecord;
  std::size_t filled = 0;
  if (long_bytes) {
    piece = piece.substr(0, Endpoint::kPiece);
  } else {
    const int error = gather(&filled);
    if (error != 0) return fail(error);
    if (filled == 0) return 0;  // a disk thread reads
    piece = {endpoint_.gathered().data(), filled};
  }
  if (session_.write(piece) != Session::Status::kDone) return fail(UV_EPROTO);
  budget_ -= std::min(budget_, piece.size());
  if (long_bytes) chunks_.advance(piece.size());
  return flush();
}

// Fills a record from what is in front, which is short or a file, and more of a file.
int TlsStream::gather(std::size_t* filled) {
  const std::span<char> into = endpoint_.gathered();
  while (!chunks_.empty() && *filled < Endpoint::kRecord) {
    char* const place = into.data() + *filled;
    Chunks::FileRange* const range = chunks_.file_at(0);
    if (range == nullptr) {
      const std::string_view bytes =
          chunks_.bytes_at(0).substr(0, std::max(Endpoint::kRecord, *filled) - *filled);
      std::memcpy(place, bytes.data(), bytes.size());
      *filled += bytes.size();
      chunks_.advance(bytes.size());
      continue;
    }
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(range->length, into.size() - *filled));
    const ssize_t count = read_resident(range->file.fd(), range->offset, place, size);
    if (count == UV_EAGAIN) {
      if (*filled == 0) read_on_disk_thread(*range);
      return 0;
    }
    if (count == 0 || (count > 0 && !range->file.unchanged())) return UV_EOF;
    if (count < 0) return static_cast<int>(count);
    *filled += static_cast<std::size_t>(count);
    chunks_.advance(static_cast<std::size_t>(count));
  }
  return 0;
}

void TlsStream::read_on_disk_thread(const Chunks::FileRange& range) {
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(range.length, Endpoint::kPiece));
  disk_read_ = DiskRead::start(raw_.loop(), range.file, range.offset, size, true,
                               [this](DiskRead& read) { guarded([&] { disk_read_done(read); }); });
}

void TlsStream::disk_read_done(DiskRead& read) {
  disk_read_.reset();
  int error = read.result() < 0                                ? static_cast<int>(read.result())
              : read.result() == 0 || !read.file().unchanged() ? static_cast<int>(UV_EOF)
                                                               : 0;
  if (error == 0) {
    const std::unique_ptr<char[]> bytes = read.take();
    const auto count = static_cast<std::size_t>(read.result());
    if (session_.write({bytes.get(), count}) != Session::Status::kDone) error = UV_EPROTO;
    chunks_.advance(count);
  }
  if (error == 0) error = flush();
  if (error != 0) return handler_->on_error(fail(error));
  if (!raw_.busy()) go_on();
}

void TlsStream::on_drained() {
  guarded([this] {
    if (state_ == State::kOpen && error_ == 0) go_on();
  });
}

// After something that was under way has ended.
void TlsStream::go_on() {
  budget_ = Stream::kFileSlice;
  const int error = pump();
  if (error != 0) return handler_->on_error(fail(error));
  if (!busy()) handler_->on_drained();
}

// Says that this is the end, and sends FIN behind it.
int TlsStream::end_sending() {
  if (std::exchange(sent_end_, true)) return 0;
  session_.end();
  const int error = flush();
  if (error == 0) raw_.shutdown();
  return error;
}

}  // namespace httpuv::net::tls
