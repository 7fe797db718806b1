// What was published and has not been sent yet. Sent before whatever must not overtake it. Loop
// thread only.
#pragma once

namespace httpuv::server {

class Gathered {
 public:
  virtual void send() noexcept = 0;

 protected:
  ~Gathered() = default;
};

}  // namespace httpuv::server
