#include <doctest/doctest.h>

#include <random>
#include <string>

#include "websocket/frame/mask.h"

using httpuv::websocket::MaskKey;

namespace {

const unsigned char kWire[4] = {0x37, 0xfa, 0x21, 0x3d};

std::string naive(std::string data, std::size_t phase = 0) {
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<char>(data[i] ^ kWire[(i + phase) % 4]);
  return data;
}

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

}  // namespace

TEST_CASE("masking: every size and alignment agrees with the definition") {
  for (std::size_t size = 0; size <= 200; ++size) {
    for (std::size_t offset = 0; offset < 16; ++offset) {
      const std::string data = random_bytes(size, static_cast<unsigned>(size));
      std::string place(offset, 'x');
      place += data;
      MaskKey(kWire).apply(place.data() + offset, size);
      REQUIRE(place.substr(offset) == naive(data));
      REQUIRE(place.substr(0, offset) == std::string(offset, 'x'));

      std::string copy(offset + size, 'y');
      MaskKey(kWire).apply(copy.data() + offset, data.data(), size);
      REQUIRE(copy.substr(offset) == naive(data));
    }
  }
}

TEST_CASE("masking: the key goes on where it stopped") {
  const std::string data = random_bytes(1000, 7);
  std::mt19937 random(8);
  for (int round = 0; round < 200; ++round) {
    std::string out = data;
    MaskKey key(kWire);
    for (std::size_t i = 0; i < out.size();) {
      const std::size_t size = std::min<std::size_t>(random() % 70, out.size() - i);
      key.apply(out.data() + i, size);
      i += size;
    }
    REQUIRE(out == naive(data));
  }
}

TEST_CASE("masking twice gives the data back; an all-zero key changes nothing") {
  const std::string data = random_bytes(333, 9);
  std::string out = data;
  MaskKey(kWire).apply(out.data(), out.size());
  MaskKey(kWire).apply(out.data(), out.size());
  CHECK(out == data);
  const unsigned char zero[4] = {0, 0, 0, 0};
  MaskKey(zero).apply(out.data(), out.size());
  CHECK(out == data);
}
