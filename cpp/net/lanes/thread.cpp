#include "net/lanes/thread.h"

#include <signal.h>
#include <uv.h>

#include <memory>
#include <utility>

namespace httpuv::net {

namespace {

struct Start {
  const char* name;
  std::function<void()> body;
};

void* enter(void* argument) noexcept {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
#ifdef __APPLE__
  pthread_setname_np(start->name);
#else
  pthread_setname_np(pthread_self(), start->name);
#endif
  start->body();
  return nullptr;
}

}  // namespace

int start_thread(pthread_t* thread, const char* name, std::function<void()> body,
                 std::size_t stack) {
  auto start = std::make_unique<Start>(Start{name, std::move(body)});
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes); error != 0) {
    return uv_translate_sys_error(error);
  }
  if (stack != 0) pthread_attr_setstacksize(&attributes, stack);
  // A thread inherits the mask of its creator: at no moment can a signal be delivered to it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&all, fault);
  }
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, &attributes, &enter, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return uv_translate_sys_error(error);
  static_cast<void>(start.release());
  return 0;
}

}  // namespace httpuv::net
