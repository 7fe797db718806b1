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
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id_;
  from_normal(normal, *envelope);
  finish(server::Respond{std::move(envelope)});
}

void Reply::start(int status, const py::object& headers, std::optional<std::uint64_t> length,
                  const std::optional<std::pair<double, std::string>>& filler) {
  server::Envelope envelope;
  from_normal(py::make_tuple(status, headers, py::none()), envelope);
  std::unique_ptr<server::Filler> silence;
  if (filler) {
    silence = std::make_unique<server::Filler>(
        server::Filler{filler->second, static_cast<std::int64_t>(filler->first * 1000)});
  }
  post(server::StreamHead{id_, std::move(envelope.head), length, std::move(silence)});
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

}  // namespace httpuv::python
