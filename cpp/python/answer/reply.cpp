#include "python/answer/reply.h"

#include <new>
#include <utility>

#include "python/convert/file.h"
#include "python/convert/response.h"
#include "python/runtime/gil.h"
#include "python/socket/socket.h"

namespace py = pybind11;

namespace httpuv::python {

std::unique_ptr<server::Filler> make_filler(double seconds, std::string_view bytes) {
  return std::make_unique<server::Filler>(
      server::Filler{std::string(bytes), static_cast<std::int64_t>(seconds * 1000)});
}

void Reply::post(server::Command&& command) {
  if (!done_) link_->send(std::move(command));
}

void Reply::finish(server::Command&& command, bool ring) {
  if (done_.exchange(true)) return;
  try {
    ring ? link_->send(std::move(command)) : link_->leave(std::move(command));
  } catch (const std::bad_alloc&) {
    done_ = false;  // it may still be answered otherwise
    throw;
  }
  link_->answered(id_);
}

void Reply::send(const py::object& normal) {
  link_->wait_for_room();
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id_;
  from_normal(normal, *envelope);
  finish(server::Respond{std::move(envelope)});
}

bool Reply::send_plain(py::handle result, bool ring) {
  link_->wait_for_room();
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id_;
  if (!from_plain(result, *envelope)) return false;
  finish(server::Respond{std::move(envelope)}, ring);
  return true;
}

void Reply::start(int status, const py::object& headers, std::optional<std::uint64_t> length,
                  const std::optional<std::pair<double, std::string>>& filler) {
  server::Envelope envelope;
  from_normal(py::make_tuple(status, headers, py::none()), envelope);
  std::unique_ptr<server::Filler> silence;
  if (filler) silence = make_filler(filler->first, filler->second);
  post(server::StreamHead{id_, std::move(envelope.head), length, std::move(silence)});
}

void Reply::write(py::handle data, bool acknowledge, bool ring) {
  if (done_) return;
  link_->wait_for_room();
  server::StreamData piece{id_, to_payload(data).data, acknowledge};
  ring ? link_->send(std::move(piece)) : link_->leave(std::move(piece));
}

void Reply::feed(std::vector<std::string> topics, const std::string& last_event_id, bool history,
                 const std::optional<double>& retry) {
  auto request = std::make_unique<server::FeedRequest>();
  request->topics = std::move(topics);
  request->last_event_id = last_event_id;
  request->history = history;
  if (retry) request->retry_ms = static_cast<std::int64_t>(*retry * 1000);
  if (!done_) link_->feed(server::Feed{id_, std::move(request)});
}

void Reply::ring() {
  link_->ring();
}

void Reply::gather(const py::object& function) {
  link_->gather(function);
}

void Reply::write_file(FilePart& file) {
  if (!done_) link_->send(server::StreamFile{id_, file.take()});
}

bool Reply::wait_for_room() {
  if (done_) return false;
  server::StreamRoom room{id_, {}};
  std::future<bool> answer = room.answer.get_future();
  if (!link_->send(std::move(room))) return false;
  link_->hurry();
  const GilRelease release;
  return answer.get();
}

void Reply::inform(int status, const py::object& headers) {
  server::Inform inform{id_, {}};
  inform.head.status = status;
  add_headers(inform.head, headers.ptr(), true);
  post(std::move(inform));
}

void Reply::accept(const std::optional<std::string>& protocol, const py::object& headers) {
  server::WsAccept accept{id_, protocol, {}};
  add_headers(accept.head, headers.ptr(), false);
  if (done_.exchange(true)) return;
  link_->send(std::move(accept));
  link_->accepted(id_);
}

void Reply::end(const py::object& trailers) {
  http::ResponseHead lines;
  if (!trailers.is_none()) add_headers(lines, trailers.ptr(), false);
  finish(server::StreamEnd{id_, lines.fields()});
}

void Reply::cut() {
  finish(server::Cut{id_});
}

void Reply::call_soon(py::object function) {
  link_->post(id_.connection, std::move(function));
}

}  // namespace httpuv::python
