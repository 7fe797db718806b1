#include "net/loop/descriptor_set.h"

#include <unistd.h>

#include <bit>
#include <new>

namespace httpuv::net {

namespace {

constexpr std::size_t kBits = 64;

std::uint64_t bit_of(std::size_t fd) {
  return std::uint64_t{1} << (fd % kBits);
}

}  // namespace

DescriptorSet::~DescriptorSet() {
  for (std::atomic<Page*>& page : pages_) delete page.load(std::memory_order_relaxed);
}

bool DescriptorSet::add(int fd) noexcept {
  if (fd < 0) return false;
  const auto number = static_cast<std::size_t>(fd);
  const std::size_t index = number / (kWordsPerPage * kBits);
  if (index >= kPages) return false;
  Page* page = pages_[index].load(std::memory_order_relaxed);
  if (page == nullptr) {
    page = new (std::nothrow) Page{};
    if (page == nullptr) return false;
    pages_[index].store(page, std::memory_order_release);
  }
  (*page)[number / kBits % kWordsPerPage].fetch_or(bit_of(number), std::memory_order_release);
  return true;
}

void DescriptorSet::remove(int fd) noexcept {
  if (!contains(fd)) return;
  const auto number = static_cast<std::size_t>(fd);
  Page* page = pages_[number / (kWordsPerPage * kBits)].load(std::memory_order_relaxed);
  (*page)[number / kBits % kWordsPerPage].fetch_and(~bit_of(number), std::memory_order_release);
}

bool DescriptorSet::contains(int fd) const noexcept {
  if (fd < 0) return false;
  const auto number = static_cast<std::size_t>(fd);
  const std::size_t index = number / (kWordsPerPage * kBits);
  if (index >= kPages) return false;
  const Page* page = pages_[index].load(std::memory_order_acquire);
  if (page == nullptr) return false;
  const std::uint64_t word =
      (*page)[number / kBits % kWordsPerPage].load(std::memory_order_acquire);
  return (word & bit_of(number)) != 0;
}

void DescriptorSet::close_all() noexcept {
  for (std::size_t index = 0; index < kPages; ++index) {
    Page* page = pages_[index].load(std::memory_order_acquire);
    if (page == nullptr) continue;
    for (std::size_t word = 0; word < kWordsPerPage; ++word) {
      std::uint64_t bits = (*page)[word].exchange(0, std::memory_order_acq_rel);
      for (; bits != 0; bits &= bits - 1) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
        ::close(static_cast<int>((index * kWordsPerPage + word) * kBits + bit));
      }
    }
  }
}

}  // namespace httpuv::net
