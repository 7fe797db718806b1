// Something that is done every few milliseconds for a while, finer than the wheel's ticks.
//
// What: one repeating uv_timer. Thread: the loop thread alone.
// Ownership: owns its handle, which outlives it until libuv has closed it; run() waits for that.
// Failure: none.
#pragma once

#include <functional>

namespace httpuv::net {

class Loop;

class Ticker {
 public:
  Ticker(Loop& loop, std::function<void()> on_tick);
  ~Ticker();  // not from inside on_tick
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void start(int interval_ms);
  void stop();
  bool active() const;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace httpuv::net
