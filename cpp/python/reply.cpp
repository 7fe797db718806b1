#include "python/reply.h"

#include <utility>

#include "python/application.h"
#include "python/response.h"
#include "python/socket.h"

namespace py = pybind11;

namespace httpuv::python {

void Reply::post(server::Command&& command) {
  if (!done_) application_->send(std::move(command));
}

void Reply::finish(server::Command&& command) {
  if (done_.exchange(true)) return;
  application_->send(std::move(command));
  application_->forget_reply(id_);
}

void Reply::send(const py::object& normal) {
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id_;
  from_normal(normal, *envelope);
  finish(server::Respond{std::move(envelope)});
}

void Reply::start(int status, const py::object& headers, std::optional<std::uint64_t> length) {
  server::Envelope envelope;
  from_normal(py::make_tuple(status, headers, py::none()), envelope);
  post(server::StreamHead{id_, std::move(envelope.head), length});
}

void Reply::write(py::handle data, bool acknowledge) {
  post(server::StreamData{id_, to_payload(data).data, acknowledge});
}

void Reply::end() {
  finish(server::StreamEnd{id_});
}

void Reply::cut() {
  finish(server::Cut{id_});
}

void Reply::call_soon(py::object function) {
  application_->post(id_.connection, std::move(function));
}

}  // namespace httpuv::python
