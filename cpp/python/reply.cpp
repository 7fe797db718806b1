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
  if (done_) return;
  done_ = true;
  application_->send(std::move(command));
  application_->forget_reply(id_);
}

void Reply::send(const py::object& normal) {
  Response response = from_normal(normal);
  finish(server::Respond{id_, std::move(response.head), std::move(response.body)});
}

void Reply::start(int status, const py::object& headers, std::optional<std::uint64_t> length) {
  Response response = from_normal(py::make_tuple(status, headers, py::none()));
  post(server::StreamHead{id_, std::move(response.head), length});
}

void Reply::write(py::handle data, bool acknowledge) {
  post(server::StreamData{id_, to_payload(data).data, acknowledge});
}

void Reply::end() { finish(server::StreamEnd{id_}); }

void Reply::cut() { finish(server::Cut{id_}); }

}  // namespace httpuv::python
