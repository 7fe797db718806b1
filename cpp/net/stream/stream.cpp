#include "net/stream/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "net/file/file_slice.h"
#include "net/stream/outbox.h"

namespace httpuv::net {

namespace {

uv_buf_t buffer_of(std::string_view bytes) {
  // libuv does not write to it; its type has no const.
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// What uv_try_write() does where libuv has nothing queued, which is so while there is no outbox.
// send(2) costs the kernel less than write(2).
ssize_t send_buffers(int socket, uv_buf_t* buffers, unsigned count) {
#ifdef MSG_NOSIGNAL
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
  constexpr int kFlags = MSG_DONTWAIT;
#endif
  ssize_t sent = 0;
  do {
    if (count == 1) {
      sent = ::send(socket, buffers[0].base, buffers[0].len, kFlags);
    } else {
      msghdr message{};
      message.msg_iov = reinterpret_cast<iovec*>(buffers);  // uv_buf_t is laid out as one
      message.msg_iovlen = count;
      sent = ::sendmsg(socket, &message, kFlags);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == ENOBUFS ? UV_EAGAIN : uv_translate_sys_error(errno);
}

}  // namespace

Stream::Stream() {
  handle_.handle.loop = nullptr;
}

Stream::~Stream() {
  assert(state_ == State::kUnopened);
}

int Stream::open(Accepted&& accepted, StreamHandler* handler) {
  assert(state_ == State::kUnopened);
  Loop& loop = accepted.loop();
  handler_ = handler;
  peer_ = accepted.peer();
  const bool tcp = peer_.family != AF_UNIX;
  // Neither fails.
  if (tcp) {
    uv_tcp_init(loop.uv(), &handle_.tcp);
  } else {
    uv_pipe_init(loop.uv(), &handle_.pipe, 0);
  }
  handle_.handle.data = this;
  state_ = State::kOpen;
  loop.opened();
  const int error =
      tcp ? uv_tcp_open(&handle_.tcp, accepted.fd()) : uv_pipe_open(&handle_.pipe, accepted.fd());
  if (error != 0) {
    close();  // the descriptor is not ours: `accepted` closes it
    return fail(error);
  }
  accepted.release();
  return 0;
}

void Stream::start_reading() {
  if (state_ != State::kOpen || reading_ || eof_ || error_ != 0) return;
  // Fails only on a stream that is closing.
  reading_ = uv_read_start(&handle_.stream, &Stream::on_alloc, &Stream::on_read) == 0;
}

void Stream::stop_reading() {
  if (!std::exchange(reading_, false)) return;
  uv_read_stop(&handle_.stream);
}

void Stream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
  std::span<char> place = static_cast<Stream*>(handle->data)->handler_->read_into();
  if (place.empty()) place = Loop::of(handle->loop).read_buffer();
  *buffer = {place.data(), place.size()};
}

void Stream::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept {
  Stream& self = *static_cast<Stream*>(stream->data);
  self.guarded([&] {
    if (count > 0) {
      self.handler_->on_data({buffer->base, static_cast<std::size_t>(count)});
    } else if (count == UV_EOF) {
      self.reading_ = false;
      self.eof_ = true;
      self.handler_->on_eof();
    } else if (count < 0) {
      self.handler_->on_error(self.fail(static_cast<int>(count)));
    }
    // 0: EAGAIN, nothing to do.
  });
}

int Stream::refusal() const {
  if (state_ != State::kOpen) return UV_EBADF;
  if (error_ != 0) return error_;
  return shutdown_ ? static_cast<int>(UV_EPIPE) : 0;
}

int Stream::send_now(std::string_view& a, std::string_view& b) {
  uv_buf_t buffers[2];
  unsigned count = 0;
  if (!a.empty()) buffers[count++] = buffer_of(a);
  if (!b.empty()) buffers[count++] = buffer_of(b);
  if (count == 0) return 0;
  const ssize_t result = send_buffers(fd(), buffers, count);
  if (result == UV_EAGAIN) return 0;
  if (result < 0) return fail(static_cast<int>(result));
  auto sent = static_cast<std::size_t>(result);
  written_ += sent;
  const std::size_t of_a = std::min(sent, a.size());
  a.remove_prefix(of_a);
  b.remove_prefix(sent - of_a);
  return 0;
}

Outbox& Stream::outbox() {
  if (!outbox_) {
    base::Charge charge;
    if (ledger_ != nullptr) charge = base::Charge(*ledger_, kind_, 0);
    outbox_ = std::make_unique<Outbox>(*this, std::move(charge));
  }
  return *outbox_;
}

int Stream::start_outbox(std::size_t budget) {
  const int error = outbox_->start(budget);
  if (error != 0) return fail(error);
  if (outbox_->empty()) outbox_.reset();
  return 0;
}

int Stream::write(std::string_view a, std::string_view b) {
  int error = refusal();
  if (error == 0 && !outbox_) error = send_now(a, b);
  if (error != 0 || (a.empty() && b.empty())) return error;
  return attempt([&] {
    outbox().add_copy(a);
    outbox().add_copy(b);
    return start_outbox();
  });
}

int Stream::write_owned(std::string_view head, std::string&& body) {
  std::string_view rest = body;
  int error = refusal();
  if (error == 0 && !outbox_) error = send_now(head, rest);
  if (error != 0 || (head.empty() && rest.empty())) return error;
  return attempt([&] {
    outbox().add_copy(head);
    if (!rest.empty()) outbox().add_owned(std::move(body), body.size() - rest.size());
    return start_outbox();
  });
}

int Stream::write_shared(std::string_view head, std::string_view body,
                         const std::shared_ptr<const void>& owner, std::size_t held) {
  int error = refusal();
  if (error == 0 && !outbox_) error = send_now(head, body);
  if (error != 0 || (head.empty() && body.empty())) return error;
  return attempt([&] {
    outbox().add_copy(head);
    if (!body.empty()) outbox().add_shared(body, owner, held);
    return start_outbox();
  });
}

int Stream::send_file(std::string_view head, FileRef file, std::uint64_t offset,
                      std::uint64_t length) {
  if (length == 0) return write(head);
  if (const int error = refusal(); error != 0) return error;
  if (!file.unchanged()) return fail(UV_EOF);  // it may have waited for its turn
  std::size_t budget = kFileSlice;
  if (!outbox_) {
    const auto slice = static_cast<std::size_t>(std::min<std::uint64_t>(length, kFileSlice));
    if (!loop().use_sendfile() ||
        !loop().residency().check(file.fd(), offset, slice, loop().now_ms())) {
      std::string_view none;
      if (const int error = send_now(head, none); error != 0) return error;
    } else {
      // The common case, a file in memory and a socket that takes it: without an outbox, and the
      // head in the same packet as the beginning of the file.
      if (const int error = send_head(head); error != 0) return error;
      if (head.empty()) {
        const ssize_t sent = send_slice(fd(), file.fd(), offset, slice);
        if (sent == 0) return fail(UV_EOF);
        if (sent < 0 && sent != UV_EAGAIN && sent != UV_ENOTSUP) {
          return fail(static_cast<int>(sent));
        }
        if (sent > 0) {
          written_ += static_cast<std::uint64_t>(sent);
          offset += static_cast<std::uint64_t>(sent);
          length -= static_cast<std::uint64_t>(sent);
          if (length == 0) return 0;
          budget -= static_cast<std::size_t>(sent);
        }
      }
    }
  }
  return attempt([&] {
    outbox().add_copy(head);
    outbox().add_file(std::move(file), offset, length);
    return start_outbox(budget);
  });
}

int Stream::send_head(std::string_view& head) {
  if (head.empty()) return 0;
  const ssize_t sent = send_before_slice(fd(), head.data(), head.size());
  if (sent == UV_EAGAIN) return 0;
  if (sent < 0) return fail(static_cast<int>(sent));
  written_ += static_cast<std::uint64_t>(sent);
  head.remove_prefix(static_cast<std::size_t>(sent));
  return 0;
}

std::size_t Stream::queued() const {
  return outbox_ ? outbox_->queued() : 0;
}

std::uint64_t Stream::bytes_written() const {
  return outbox_ ? written_ + outbox_->in_flight_written() : written_;
}

int Stream::fail(int error) {
  error_ = error;
  stop_reading();
  if (outbox_) outbox_->stop();
  return error;
}

void Stream::outbox_failed(int error) {
  handler_->on_error(fail(error));
}

void Stream::outbox_drained() {
  outbox_.reset();
  if (shutdown_) ::shutdown(fd(), SHUT_WR);
  handler_->on_drained();
}

void Stream::shutdown() {
  if (refusal() != 0) return;
  shutdown_ = true;
  // Not uv_shutdown(): with nothing queued there is nothing to wait for. If the peer is gone this
  // fails, and reading tells.
  if (!outbox_) ::shutdown(fd(), SHUT_WR);
}

// True once: the caller then closes the handle.
bool Stream::begin_close() {
  if (state_ != State::kOpen) return false;
  stop_reading();
  if (outbox_) outbox_->stop();
  state_ = State::kClosing;
  return true;
}

void Stream::close() {
  const int socket = fd();
  if (!begin_close()) return;
  // A forked child that has not closed its copy yet would keep the connection open.
  if (loop().forked() && socket >= 0) ::shutdown(socket, SHUT_RDWR);
  const std::lock_guard lock(loop().descriptors().gate());
  if (socket >= 0) loop().descriptors().remove(socket);
  uv_close(&handle_.handle, &Stream::on_uv_closed);
}

void Stream::reset() {
  if (peer_.family == AF_UNIX) return close();
  const int socket = fd();
  if (!begin_close()) return;
  const std::lock_guard lock(loop().descriptors().gate());
  loop().descriptors().remove(socket);
  if (uv_tcp_close_reset(&handle_.tcp, &Stream::on_uv_closed) != 0) {
    uv_close(&handle_.handle, &Stream::on_uv_closed);
  }
}

void Stream::on_uv_closed(uv_handle_t* handle) noexcept {
  Stream& self = *static_cast<Stream*>(handle->data);
  Loop& loop = self.loop();
  self.outbox_.reset();
  self.state_ = State::kUnopened;
  self.handler_->on_closed();  // may destroy the stream
  loop.closed();
}

int Stream::fd() const {
  uv_os_fd_t fd = -1;
  if (state_ != State::kOpen || uv_fileno(&handle_.handle, &fd) != 0) return -1;
  return fd;
}

bool Stream::peer_gone() const {
  const int socket = fd();
  if (socket < 0 || error_ != 0) return true;
#ifdef __linux__
  pollfd state{socket, 0, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0 && !shutdown_;
#else
  // Elsewhere POLLHUP may mean no more than the peer's FIN.
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0;
#endif
}

const Peer& Stream::peer() {
  if (!peer_text_) {
    peer_text_ = std::make_unique<Peer>(Peer{peer_.host(), peer_.port, peer_.family});
  }
  return *peer_text_;
}

}  // namespace httpuv::net
