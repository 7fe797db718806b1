// Passing access log records to Python; the rest of Application is in application.cpp.
#include "python/application/access.h"

#include <chrono>
#include <utility>

#include "python/application/application.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

template <class Duration>
double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

py::list take_records(const server::AccessBatch& batch) {
  py::list result;
  for (const server::AccessRecord& record : batch.records()) {
    result.append(py::make_tuple(record.remote_address, record.remote_port,
                                 latin1_of(record.request), record.status, record.bytes,
                                 seconds(record.ended.time_since_epoch()), seconds(record.took),
                                 latin1_of(record.referer), latin1_of(record.user_agent),
                                 latin1_of(record.request_id), latin1_of(record.trace_id)));
  }
  return result;
}

// The records were logged: releases them, and returns how many were dropped before. Reported when
// the log has caught up, not once for each record in between.
std::size_t skipped_records(server::AccessBatch& batch) {
  batch = batch.next();
  server::AccessBacklog& backlog = *batch.backlog();
  if (backlog.bytes.load(std::memory_order_relaxed) > server::AccessBacklog::kMost / 2) return 0;
  return backlog.skipped.exchange(0, std::memory_order_relaxed);
}

}  // namespace

void Application::on_event(server::NoticeEvent&& event, Work& work) {
  if (callbacks_.on_notice.is_none()) return;
  work.where = "log";
  call_python(callbacks_.on_notice, static_cast<int>(event.level), latin1_of(event.text));
}

// The thread that writes the log reads the records, so slow handlers do not delay callbacks.
// Records that wait for it count for the backlog.
void Application::on_event(server::LogEvent&& event, Work& work) {
  work.where = "accessLog";
  call_python(callbacks_.access_log, py::cast(std::move(event.batch)));
}

void register_access_records(py::module_& module) {
  py::class_<server::AccessBatch>(module, "AccessRecords")
      .def("take", &take_records)
      .def("skipped", &skipped_records);
}

}  // namespace httpuv::python
