#include "python/socket/socket.h"

#include <utility>

#include "base/spare_strings.h"
#include "python/convert/buffer.h"
#include "python/runtime/gil.h"
#include "python/runtime/lending.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

constexpr std::size_t kSmallMessage = 64;

// A large message has the memory of one before it.
void reserve(std::string& memory, Py_ssize_t size) {
  const auto bytes = static_cast<std::size_t>(size);
  if (base::SpareStrings::serves(bytes) && memory.capacity() < bytes) {
    memory = base::spare_strings().take();
  }
}

// Copies into a reused buffer, unless the buffer is so large that the waiting data would take much
// more memory than is counted.
void copy(std::string& memory, const void* data, Py_ssize_t size) {
  const auto bytes = static_cast<std::size_t>(size);
  reserve(memory, size);
  if (memory.capacity() / 2 > bytes + kSmallMessage) memory = std::string();
  memory.assign(static_cast<const char*>(data), bytes);
}

// Those of a str or bytes; none for what has another type.
std::string_view plain_bytes(py::handle message) {
  Py_ssize_t size = 0;
  const char* data = nullptr;
  if (PyUnicode_Check(message.ptr())) {
    data = PyUnicode_AsUTF8AndSize(message.ptr(), &size);
    if (data == nullptr) throw py::error_already_set();
  } else if (PyBytes_Check(message.ptr())) {
    data = PyBytes_AS_STRING(message.ptr());
    size = PyBytes_GET_SIZE(message.ptr());
  }
  return {data, static_cast<std::size_t>(size)};
}

// The largest buffer that is kept between two messages.
constexpr std::size_t kMaxMemory = std::size_t{256} * 1024;

thread_local std::string t_memory;  // of the last message

}  // namespace

void keep_memory(std::string&& memory) {
  if (memory.capacity() <= kMaxMemory) t_memory = std::move(memory);
}

std::string take_memory() {
  return std::exchange(t_memory, {});
}

Payload to_payload(py::handle message, std::string&& memory) {
  Payload payload{false, std::move(memory)};
  if (PyUnicode_Check(message.ptr())) {
    Py_ssize_t size = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(message.ptr(), &size);
    if (data == nullptr) throw py::error_already_set();
    payload.text = true;
    copy(payload.data, data, size);
    return payload;
  }
  if (PyBytes_CheckExact(message.ptr()) != 0) {
    reserve(payload.data, PyBytes_GET_SIZE(message.ptr()));
  }
  copy_buffer(message, "a message", payload.data);
  return payload;
}

void Socket::send(py::handle message, bool compress) {
  const bool room = link_->wait_for_room();
  server::WsSend command{id_, PyUnicode_Check(message.ptr()) != 0, compress, {}};
  if (auto lent = lend(message, plain_bytes(message))) {
    command.data = *std::move(lent);
  } else {
    command.data = to_payload(message, take_memory()).data;
  }
  const std::size_t size = server::bytes_of(command.data).size();
  if (!room && !burst_.admits(link_->server().drains(), size, link_->ws_max_queue())) {
    return overflow();
  }
  sent_ += size;
  link_->send(std::move(command));
}

// More than a peer may leave unread was sent before the loop could take any of it.
void Socket::overflow() {
  switch (link_->ws_overflow()) {
    case server::Overflow::kClose:
      if (!overflowed_.exchange(true)) close(1013, "more is sent than can be");
      break;
    case server::Overflow::kTell:
      if (dropped_.fetch_add(1) > 0) break;  // a notification is already on its way
      call_soon(py::cpp_function([self = shared_from_this()] {
        self->link_->dropped(self->id_, self->dropped_.exchange(0));
      }));
      break;
    case server::Overflow::kDrop:
    case server::Overflow::kLatest:  // topics only
      break;
  }
}

void Socket::ping(py::handle payload) {
  link_->send(server::WsPing{id_, to_payload(payload).data});
}

void Socket::close(std::uint16_t code, const std::string& reason) {
  link_->send(server::WsClose{id_, code, reason});
}

Joining Socket::subscribe(const std::string& topic, const std::optional<PyPosition>& since,
                          bool history) {
  server::WsSubscribe command;
  command.id = id_;
  command.topic = topic;
  command.history = history;
  if (since) command.since = server::Position{std::get<0>(*since), std::get<1>(*since)};
  std::shared_future<std::optional<server::Joined>> answer =
      command.answer.emplace().get_future().share();
  if (!link_->subscribe(std::move(command))) {
    base::Promised<std::optional<server::Joined>> closed;
    answer = closed.get_future().share();
    closed.set_value({});
  }
  return {link_, std::move(answer)};
}

void Socket::unsubscribe(const std::string& topic) {
  server::WsSubscribe command;
  command.id = id_;
  command.topic = topic;
  command.wanted = false;
  link_->send(std::move(command));
}

std::vector<std::string> Socket::subscriptions() const {
  return python::subscriptions(*link_, id_);
}

std::size_t Socket::buffered() const {
  server::WsQueued query;
  query.id = id_;
  std::future<std::size_t> answer = query.answer.get_future();
  if (!link_->send(std::move(query))) return 0;
  link_->hurry();
  const GilRelease release;
  return answer.get();
}

void Socket::call_soon(py::object function) {
  link_->post(id_, std::move(function));
}

void Socket::consumed(std::size_t messages) {
  link_->consumed(id_, messages);
}

void Socket::acknowledge() {
  link_->send(server::WsAcknowledge{id_});
}

}  // namespace httpuv::python
