// The answer that another thread waits for, given in any case: a question that is dropped
// unanswered (its receiver has gone, or had no memory for it) is answered with `otherwise`.
//
// Thread: one at a time. Ownership: moved along with the question. Failure: none once it is made.
#pragma once

#include <future>
#include <utility>

namespace httpuv::base {

template <class T>
class Promised {
 public:
  Promised() = default;
  explicit Promised(T otherwise) : otherwise_(std::move(otherwise)) {}
  Promised(Promised&& other) noexcept
      : promise_(std::move(other.promise_)),
        otherwise_(std::move(other.otherwise_)),
        asked_(std::exchange(other.asked_, false)) {}
  Promised& operator=(Promised&& other) noexcept {
    std::swap(promise_, other.promise_);
    std::swap(otherwise_, other.otherwise_);
    std::swap(asked_, other.asked_);
    return *this;
  }
  ~Promised() {
    if (asked_) promise_.set_value(std::move(otherwise_));
  }

  std::future<T> get_future() {
    std::future<T> future = promise_.get_future();
    asked_ = true;
    return future;
  }
  void set_value(T value) {
    if (std::exchange(asked_, false)) promise_.set_value(std::move(value));
  }

 private:
  std::promise<T> promise_;
  T otherwise_{};
  bool asked_ = false;  // and not answered yet
};

template <>
class Promised<void> {
 public:
  Promised() = default;
  Promised(Promised&& other) noexcept
      : promise_(std::move(other.promise_)), asked_(std::exchange(other.asked_, false)) {}
  Promised& operator=(Promised&& other) noexcept {
    std::swap(promise_, other.promise_);
    std::swap(asked_, other.asked_);
    return *this;
  }
  ~Promised() { set_value(); }

  std::future<void> get_future() {
    std::future<void> future = promise_.get_future();
    asked_ = true;
    return future;
  }
  void set_value() {
    if (std::exchange(asked_, false)) promise_.set_value();
  }

 private:
  std::promise<void> promise_;
  bool asked_ = false;
};

}  // namespace httpuv::base
