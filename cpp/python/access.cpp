// Passing access log records to Python; the rest of Application is in application.cpp.
#include <chrono>

#include "python/application.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

template <class Duration>
double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void Application::on_event(server::NoticeEvent&& event, Work& work) {
  if (callbacks_.on_notice.is_none()) return;
  work.where = "log";
  call_python(callbacks_.on_notice, static_cast<int>(event.level), latin1_of(event.text));
}

void Application::on_event(server::LogEvent&& event, Work& work) {
  const std::shared_ptr<server::AccessBacklog> backlog = event.batch.backlog();
  const py::object answered = callbacks_.access_log.attr("answered");
  work.where = "accessLog";
  // A record that cannot be logged does not take the others with it.
  const auto say = [&](const auto& what) {
    try {
      what();
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_Exception)) throw;
      report(work, exception_of(error));
    }
  };
  for (const server::AccessRecord& record : event.batch.records()) {
    say([&] {
      call_python(answered, record.remote_address, record.remote_port, latin1_of(record.request),
                  record.status, record.bytes, seconds(record.ended.time_since_epoch()),
                  seconds(record.took), latin1_of(record.referer), latin1_of(record.user_agent),
                  latin1_of(record.request_id), latin1_of(record.trace_id));
    });
  }
  event.batch = event.batch.next();
  // Reported when the log has caught up, not once for each record in between.
  if (backlog->bytes.load(std::memory_order_relaxed) > server::AccessBacklog::kMost / 2) return;
  const std::size_t skipped = backlog->skipped.exchange(0, std::memory_order_relaxed);
  if (skipped > 0) say([&] { call_python(callbacks_.access_log.attr("skipped"), skipped); });
}

}  // namespace httpuv::python
