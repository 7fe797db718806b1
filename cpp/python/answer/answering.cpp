#include "python/answer/answering.h"

#include <stdexcept>

#include "python/application/application.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {
thread_local Answering* t_innermost = nullptr;
}  // namespace

Answering::Answering(Application& application, const server::ExchangeId& id)
    : application_(application), id_(id), outer_(t_innermost) {
  t_innermost = this;
}

Answering::~Answering() {
  t_innermost = outer_;
}

void Answering::abandoned(const Application& application, const server::ExchangeId& id) {
  for (Answering* each = t_innermost; each != nullptr; each = each->outer_) {
    if (&each->application_ == &application && each->id_ == id) each->gone_ = true;
  }
}

bool Answering::client_gone() {
  if (t_innermost == nullptr) {
    throw std::runtime_error("no request is being answered on this thread");
  }
  server::IsPresent question{t_innermost->id_, {}};
  std::future<bool> answer = question.answer.get_future();
  Application& application = t_innermost->application_;
  if (!application.send(std::move(question))) return true;  // the server has stopped
  application.hurry();
  const GilRelease release;
  return !answer.get();
}

}  // namespace httpuv::python
