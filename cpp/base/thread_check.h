// Notes the thread of an object, and aborts in debug builds if another thread uses it. With NDEBUG
// it costs nothing.
//
// A member of the guarded object. bind() and assert_here() race only if the object is misused.
#pragma once

#include <cassert>
#include <thread>

namespace httpuv::base {

class ThreadCheck {
 public:
  // From now on the object belongs to the calling thread.
  void bind() { owner_ = std::this_thread::get_id(); }

  // Before the first bind() every thread is the right one.
  void assert_here() const {
    assert((owner_ == std::thread::id() || owner_ == std::this_thread::get_id()) &&
           "used on a thread it does not live on");
  }

 private:
  std::thread::id owner_;
};

}  // namespace httpuv::base
