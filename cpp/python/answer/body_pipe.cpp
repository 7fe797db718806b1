#include "python/answer/body_pipe.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <variant>

#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// How long a thread waits before Python's signal handlers get their turn.
constexpr std::chrono::milliseconds kPieceSignalCheck{100};

}  // namespace

void BodyPipe::push(std::string&& bytes, bool last) {
  const std::lock_guard lock(mutex_);
  if (offset_ == bytes_.size()) {
    bytes_ = std::move(bytes);
    offset_ = 0;
  } else {
    bytes_.append(bytes);
  }
  ended_ = last;
  changed_.notify_all();
}

void BodyPipe::lose() {
  const std::lock_guard lock(mutex_);
  lost_ = !ended_;
  changed_.notify_all();
}

bool BodyPipe::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::size_t BodyPipe::take(char* to, std::size_t size) {
  const std::size_t taken = std::min(size, bytes_.size() - offset_);
  std::memcpy(to, bytes_.data() + offset_, taken);
  offset_ += taken;
  if (offset_ == bytes_.size()) {
    bytes_ = std::string();
    offset_ = 0;
  }
  return taken;
}

std::size_t BodyPipe::read_into(const py::buffer& buffer) {
  const py::buffer_info info = buffer.request(true);
  const auto size = static_cast<std::size_t>(info.size * info.itemsize);
  if (size == 0) return 0;
  if (!std::exchange(begun_, true)) {
    link_->send(server::Continue{id_});
    link_->ring();
  }
  while (true) {
    std::size_t taken = 0;
    bool ended = false;
    bool lost = false;
    {
      const GilRelease release;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kPieceSignalCheck,
                        [this] { return offset_ < bytes_.size() || ended_ || lost_; });
      if (!lost_) taken = take(static_cast<char*>(info.ptr), size);
      ended = ended_;
      lost = lost_;
    }
    if (lost) {
      PyErr_SetString(PyExc_ConnectionResetError,
                      "the rest of the body cannot come: its client has gone, or was answered");
      throw py::error_already_set();
    }
    if (taken > 0) {
      link_->send(server::BodyConsumed{id_, taken});
      link_->ring();  // this thread is about to wait for what the loop reads now
      return taken;
    }
    if (ended) return 0;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

void Arrivals::open(const std::shared_ptr<BodyPipe>& pipe) {
  const std::lock_guard lock(mutex_);
  pipes_.push_back(pipe);
  any_ = true;
}

void Arrivals::close(const BodyPipe& pipe) {
  const std::lock_guard lock(mutex_);
  std::erase_if(pipes_, [&](const auto& each) { return each.get() == &pipe; });
  any_ = !pipes_.empty();
}

std::shared_ptr<BodyPipe> Arrivals::find(const server::ExchangeId& id) const {
  const auto found = std::find_if(pipes_.begin(), pipes_.end(),
                                  [&](const auto& each) { return each->id() == id; });
  return found != pipes_.end() ? *found : nullptr;
}

std::vector<server::Event> Arrivals::take(std::vector<server::Event>& events) {
  std::vector<server::Event> taken;
  if (!any_) return taken;
  const std::lock_guard lock(mutex_);
  std::erase_if(events, [&](server::Event& event) {
    if (const auto* const gone = std::get_if<server::AbandonedEvent>(&event)) {
      // The queue has it, too: what answers is told as ever.
      if (const auto pipe = find(gone->id)) pipe->lose();
      return false;
    }
    auto* const piece = std::get_if<server::BodyEvent>(&event);
    if (piece == nullptr) return false;
    const auto pipe = find(piece->id);
    if (pipe == nullptr) return false;
    pipe->push(std::move(piece->bytes), piece->last);
    taken.push_back(std::move(event));
    return true;
  });
  return taken;
}

}  // namespace httpuv::python
