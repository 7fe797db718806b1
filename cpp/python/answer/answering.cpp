#include "python/answer/answering.h"

#include <stdexcept>

#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {
thread_local Answering* t_innermost = nullptr;
}  // namespace

Answering::Answering(Link& link, const server::ExchangeId& id)
    : link_(link), id_(id), outer_(t_innermost) {
  t_innermost = this;
}

Answering::~Answering() {
  t_innermost = outer_;
}

void Answering::abandoned(const Link& link, const server::ExchangeId& id) {
  for (Answering* each = t_innermost; each != nullptr; each = each->outer_) {
    if (&each->link_ == &link && each->id_ == id) each->gone_ = true;
  }
}

bool Answering::client_gone() {
  if (t_innermost == nullptr) {
    throw std::runtime_error("no request is being answered on this thread");
  }
  server::IsPresent question{t_innermost->id_, {}};
  std::future<bool> answer = question.answer.get_future();
  Link& link = t_innermost->link_;
  if (!link.send(std::move(question))) return true;  // the server has stopped
  link.hurry();
  const GilRelease release;
  return !answer.get();
}

}  // namespace httpuv::python
