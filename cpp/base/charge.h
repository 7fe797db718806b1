// Bytes that are held, counted by kind, and given back when they are freed.
//
// What: a Ledger counts bytes; a Charge is a share of one kind and gives it back when it is
//   destroyed. The owner of the bytes also owns the charge, so no path can forget it.
// Thread: a Ledger may be read by any thread. A Charge belongs to the ledger's thread, where
//   counting is a plain add: a request costs no locked instruction. share() makes a SharedCharge of
//   it, which any thread may destroy; that costs one locked add at each end.
// Owner: a ledger outlives its charges; a SharedCharge keeps it alive.
// Failure: none. The caller checks whether something fits before it creates the charge.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace httpuv::base {

class Ledger : public std::enable_shared_from_this<Ledger> {
 public:
  static constexpr std::size_t kKinds = 8;  // one cache line of counts
  using Kind = std::uint8_t;

  Ledger() = default;
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Any thread. Two numbers may be of slightly different times.
  [[nodiscard]] std::uint64_t used(Kind kind) const { return used(kind, kind); }
  // Of all kinds from the first to the last.
  [[nodiscard]] std::uint64_t used(Kind first, Kind last) const {
    std::uint64_t sum = 0;
    for (std::size_t kind = first; kind <= last; ++kind) {
      sum += own_[kind].load(std::memory_order_relaxed) +
             shared_[kind].load(std::memory_order_relaxed);
    }
    return static_cast<std::int64_t>(sum) < 0 ? 0 : sum;  // between the two loads of a share()
  }

 private:
  friend class Charge;
  friend class SharedCharge;

  // The ledger's thread is the only writer.
  void add(Kind kind, std::uint64_t bytes) {
    own_[kind].store(own_[kind].load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
  // Any thread.
  void add_shared(Kind kind, std::uint64_t bytes) {
    shared_[kind].fetch_add(bytes, std::memory_order_relaxed);
  }

  alignas(64) std::array<std::atomic<std::uint64_t>, kKinds> own_{};
  alignas(64) std::array<std::atomic<std::uint64_t>, kKinds> shared_{};
};

// A share of a ledger that any thread may give back.
class SharedCharge {
 public:
  SharedCharge() = default;
  SharedCharge(SharedCharge&& other) noexcept
      : ledger_(std::move(other.ledger_)),
        bytes_(std::exchange(other.bytes_, 0)),
        kind_(other.kind_) {}
  SharedCharge& operator=(SharedCharge&& other) noexcept {
    std::swap(ledger_, other.ledger_);
    std::swap(bytes_, other.bytes_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~SharedCharge() {
    if (bytes_ != 0) ledger_->add_shared(kind_, ~bytes_ + 1);
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  friend class Charge;
  SharedCharge(std::shared_ptr<Ledger> ledger, Ledger::Kind kind, std::uint64_t bytes)
      : ledger_(std::move(ledger)), bytes_(bytes), kind_(kind) {}

  std::shared_ptr<Ledger> ledger_;
  std::uint64_t bytes_ = 0;
  Ledger::Kind kind_ = 0;
};

// A share of a ledger, on the ledger's thread. `tally`, if there is one, counts the bytes of its
// owner (a connection); it outlives the charge.
class Charge {
 public:
  Charge() = default;
  Charge(Ledger& ledger, Ledger::Kind kind, std::uint64_t bytes, std::uint64_t* tally = nullptr)
      : ledger_(&ledger), tally_(tally), kind_(kind) {
    resize(bytes);
  }
  Charge(Charge&& other) noexcept
      : ledger_(std::exchange(other.ledger_, nullptr)),
        tally_(std::exchange(other.tally_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        kind_(other.kind_) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(ledger_, other.ledger_);
    std::swap(tally_, other.tally_);
    std::swap(bytes_, other.bytes_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~Charge() { resize(0); }

  // More or less is held now. A charge without a ledger stays 0.
  void resize(std::uint64_t bytes) {
    if (bytes == bytes_ || ledger_ == nullptr) return;
    const std::uint64_t change = bytes - bytes_;  // modulo 2^64, as the counts are
    ledger_->add(kind_, change);
    if (tally_ != nullptr) *tally_ += change;
    bytes_ = bytes;
  }
  void grow(std::uint64_t bytes) { resize(bytes_ + bytes); }

  // Converts the charge, because another thread may free the bytes.
  [[nodiscard]] SharedCharge share() {
    if (bytes_ == 0) return {};
    SharedCharge shared(ledger_->shared_from_this(), kind_, bytes_);
    ledger_->add_shared(kind_, bytes_);
    resize(0);
    return shared;
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Ledger* ledger_ = nullptr;
  std::uint64_t* tally_ = nullptr;
  std::uint64_t bytes_ = 0;
  Ledger::Kind kind_ = 0;
};

}  // namespace httpuv::base
