#include "python/runtime/lending.h"

#include <atomic>
#include <memory>
#include <utility>

namespace httpuv::python {

namespace {

struct Loan {
  PyObject* object;
  Loan* next;
};

std::atomic<Loan*> g_returned{nullptr};

void give_back(Loan* loan) noexcept {
  loan->next = g_returned.load(std::memory_order_relaxed);
  while (!g_returned.compare_exchange_weak(loan->next, loan, std::memory_order_release,
                                           std::memory_order_relaxed)) {
  }
}

}  // namespace

base::Borrowed lend_always(pybind11::handle object, std::string_view bytes) {
  if (any_returned()) free_returned();
  auto* const loan = new Loan{object.ptr(), nullptr};
  object.inc_ref();
  return {bytes, std::shared_ptr<const void>(loan, [loan](const void*) { give_back(loan); })};
}

bool any_returned() {
  return g_returned.load(std::memory_order_relaxed) != nullptr;
}

void free_returned() {
  Loan* loan = g_returned.exchange(nullptr, std::memory_order_acquire);
  while (loan != nullptr) {
    const std::unique_ptr<Loan> freed(std::exchange(loan, loan->next));
    Py_DECREF(freed->object);
  }
}

}  // namespace httpuv::python
