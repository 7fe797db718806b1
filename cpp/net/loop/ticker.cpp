#include "net/loop/ticker.h"

#include <uv.h>

#include <utility>

#include "net/loop/loop.h"

namespace httpuv::net {

struct Ticker::Handle {
  uv_timer_t timer;
  Loop& loop;
  std::function<void()> on_tick;
};

Ticker::Ticker(Loop& loop, std::function<void()> on_tick)
    : handle_(new Handle{{}, loop, std::move(on_tick)}) {
  uv_timer_init(loop.uv(), &handle_->timer);
  handle_->timer.data = handle_;
  loop.opened();
}

Ticker::~Ticker() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer), [](uv_handle_t* handle) {
    auto* const self = static_cast<Handle*>(handle->data);
    Loop& loop = self->loop;
    delete self;
    loop.closed();
  });
}

void Ticker::start(int interval_ms) {
  const auto interval = static_cast<std::uint64_t>(interval_ms);
  uv_timer_start(
      &handle_->timer,
      [](uv_timer_t* timer) {
        auto* const self = static_cast<Handle*>(timer->data);
        self->loop.guarded(self->on_tick);
      },
      interval, interval);
}

void Ticker::stop() {
  uv_timer_stop(&handle_->timer);
}

bool Ticker::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->timer)) != 0;
}

}  // namespace httpuv::net
