#include "websocket/frame/mask.h"

#include <bit>
#include <cstring>

namespace httpuv::websocket {
namespace {

using Word = std::uint64_t;
// Four words at a time: the compiler makes vector instructions of it, whatever the machine's
// vectors are.
constexpr std::size_t kWords = 4;
constexpr std::size_t kStep = kWords * sizeof(Word);

void mask_step(char* to, const char* from, Word key) {
  Word words[kWords];
  std::memcpy(words, from, kStep);
  for (Word& word : words) word ^= key;
  std::memcpy(to, words, kStep);
}

void mask_bytes(char* to, const char* from, std::size_t size, std::uint32_t key) {
  const Word wide = Word{key} << 32 | key;
  std::size_t i = 0;
  for (; i + kStep <= size; i += kStep) mask_step(to + i, from + i, wide);
  for (; i + sizeof(Word) <= size; i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, from + i, sizeof word);
    word ^= wide;
    std::memcpy(to + i, &word, sizeof word);
  }
  unsigned char bytes[sizeof key];
  std::memcpy(bytes, &key, sizeof key);
  for (std::size_t k = 0; i < size; ++i, ++k) {
    to[i] = static_cast<char>(static_cast<unsigned char>(from[i]) ^ bytes[k % sizeof key]);
  }
}

// The key as it stands `size` bytes further on.
std::uint32_t turn(std::uint32_t key, std::size_t size) {
  const int bits = static_cast<int>(size % sizeof key) * 8;
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

}  // namespace

MaskKey::MaskKey(const unsigned char (&wire)[4]) {
  std::memcpy(&key_, wire, sizeof key_);
}

void MaskKey::apply(char* data, std::size_t size) {
  mask_bytes(data, data, size, key_);
  key_ = turn(key_, size);
}

void MaskKey::apply(char* to, const char* from, std::size_t size) {
  mask_bytes(to, from, size, key_);
  key_ = turn(key_, size);
}

}  // namespace httpuv::websocket
