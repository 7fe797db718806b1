// The request that the callback on this thread answers. A plain function blocks its thread while it
// runs, but it can ask the loop whether its client has gone. If the callback runs other callbacks,
// one of them may be notified that this client has gone.
//
// With the GIL held.
#pragma once

#include "python/link/link.h"
#include "server/message/message.h"

namespace httpuv::python {

// Lives as long as the callback. They nest: a callback may run others.
class Answering {
 public:
  Answering(Link& link, const server::ExchangeId& id);
  ~Answering();
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  // Whether the client has gone, or will send no more. Raises RuntimeError outside of callbacks.
  static bool client_gone();

  // The client of an exchange has gone: notifies the callbacks on this thread that answer it. No
  // other thread can answer it, because the events of a connection never run on two threads at
  // once.
  static void abandoned(const Link& link, const server::ExchangeId& id);
  // Whether abandoned() was called for this one.
  [[nodiscard]] bool gone() const { return gone_; }

 private:
  Link& link_;
  const server::ExchangeId id_;
  Answering* const outer_;
  bool gone_ = false;
};

}  // namespace httpuv::python
