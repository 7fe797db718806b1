// Says which thread an object lives on, and aborts in debug builds when another one uses it. Costs
// nothing where NDEBUG is defined.
//
// Member of the object it guards. bind() and assert_here() may race only where the guarded object
// is misused already.
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
