// Threads of the core.
//
// What: starts POSIX threads that block every signal that another thread or process can send, so
//   that Python's handlers run on Python's threads, and SIGPIPE, which write(2) and sendfile(2)
//   raise on the writing thread, never ends the process: the call answers EPIPE. The signals of a
//   fault (SIGSEGV and others) stay unblocked: blocked, they would end the process before Python's
//   faulthandler can report.
// Thread: any.
// Ownership: the caller joins or detaches.
// Failure: start_thread() answers a negative libuv error number (UV_EAGAIN: no more threads).
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>

namespace httpuv::net {

// `name`: at most 15 characters. `body` is destroyed on the new thread. `stack`: bytes; 0 is the
// system's default.
int start_thread(pthread_t* thread, const char* name, std::function<void()> body,
                 std::size_t stack = 0);

}  // namespace httpuv::net
