// Which request the callback on this thread is to answer: so that a plain function, which keeps its
// thread while it runs, can ask the loop about its client.
//
// With the GIL held.
#pragma once

#include "server/message.h"

namespace httpuv::python {

class Application;

// Lives as long as the callback. They nest: a callback may run others.
class Answering {
 public:
  Answering(Application& application, const server::ExchangeId& id);
  ~Answering();
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  // Whether the client has gone, or will send no more. Raises RuntimeError outside of callbacks.
  static bool client_gone();

 private:
  Application& application_;
  const server::ExchangeId id_;
  Answering* const outer_;
};

}  // namespace httpuv::python
