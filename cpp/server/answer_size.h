// How long the answers of the application are likely to be, so that a connection is not given more
// pipelined requests than it may have answers waiting.
//
// Loop thread only; one for each server. A long answer counts at once and is forgotten slowly: what
// an application has answered once it may answer again. Never fails.
#pragma once

#include <algorithm>
#include <cstdint>

namespace httpuv::server {

class AnswerSize {
 public:
  void note(std::uint64_t bytes) {
    expected_ = std::max(bytes, expected_ - expected_ / kForget);
    expected_ = std::max(expected_, kLeast);
  }

  [[nodiscard]] std::uint64_t expected() const { return expected_; }

 private:
  static constexpr std::uint64_t kForget = 64;
  // Nothing is sure about the next answer, however short all before it were.
  static constexpr std::uint64_t kLeast = std::uint64_t{16} * 1024;

  std::uint64_t expected_ = std::uint64_t{64} * 1024;
};

}  // namespace httpuv::server
