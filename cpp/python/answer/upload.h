// The body of a request that comes while the application is busy with it: its handle on what is
// still to come.
//
// With the GIL held, from any thread. Once the request is answered, or its client has gone, every
// method does nothing.
#pragma once

#include <cstddef>
#include <memory>

#include "python/link/link.h"
#include "server/message/message.h"

namespace httpuv::python {

class Upload {
 public:
  Upload(std::shared_ptr<Link> link, const server::ExchangeId& id)
      : link_(std::move(link)), id_(id) {}

  // Starts the reading of the body, and sends 100 (Continue) if the client waits for it.
  void resume();
  // So many bytes were used. The server may read as many again.
  void consumed(std::size_t bytes);

 private:
  std::shared_ptr<Link> link_;
  server::ExchangeId id_;
};

}  // namespace httpuv::python
