// The compression contexts the sessions of one loop share.
//
// One per loop thread (and one per worker thread that compresses large messages), owned by the
// owner of the loop, outlives its sessions. Not thread-safe. Contexts are created at first use.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "websocket/deflate/deflater.h"
#include "websocket/deflate/inflater.h"

namespace httpuv::websocket {

class DeflatePool {
 public:
  explicit DeflatePool(const DeflateTuning& tuning = {});

  // A compressor whose window is empty, valid until the next call. window_bits 8..15.
  Deflater& stateless_deflater(int window_bits);

  // An inflater with an empty window (2^15), for as long as a message lasts.
  std::unique_ptr<Inflater> borrow_inflater();
  void give_back(std::unique_ptr<Inflater> inflater);

  // For results that live for a moment; empty when handed out.
  std::string& scratch();
  // One block of inflated bytes at a time goes through here.
  static constexpr std::size_t kBlock = std::size_t{16} * 1024;
  char* block();

  const DeflateTuning& tuning() const { return tuning_; }

 private:
  static constexpr std::size_t kSpareInflaters = 4;
  static constexpr std::size_t kMaxScratch = std::size_t{256} * 1024;

  DeflateTuning tuning_;
  std::array<std::unique_ptr<Deflater>, 8> deflaters_;  // by window bits - 8
  std::vector<std::unique_ptr<Inflater>> spare_;
  std::unique_ptr<char[]> block_;
  std::string scratch_;
};

}  // namespace httpuv::websocket
