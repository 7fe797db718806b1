// The body of a request that comes while the application is busy with it: its handle on what is
// still to come.
//
// With the GIL held, from any thread. Once the request is answered, or its client has gone, every
// method does nothing.
#pragma once

#include <cstddef>
#include <memory>

#include "server/message/message.h"

namespace httpuv::python {

class Application;

class Upload {
 public:
  Upload(std::shared_ptr<Application> application, const server::ExchangeId& id)
      : application_(std::move(application)), id_(id) {}

  // Nothing is read, nor a client that waits for it told to go on, before this.
  void resume();
  // So many bytes were used: more may be read.
  void consumed(std::size_t bytes);

 private:
  std::shared_ptr<Application> application_;
  server::ExchangeId id_;
};

}  // namespace httpuv::python
