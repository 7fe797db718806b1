// What sessions cost: counted by replacing operator new for this program. The compression library
// takes its memory from malloc, and is counted by its contexts instead.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "base/spare_strings.h"
#include "peer.h"

namespace {

std::size_t live_bytes = 0;
std::size_t peak_bytes = 0;
std::size_t allocations = 0;

constexpr std::size_t kHead = 16;  // the block's size is kept in front of it

void* counted_new(std::size_t size) {
  void* block = std::malloc(size + kHead);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<std::size_t*>(block) = size;
  live_bytes += size;
  peak_bytes = std::max(peak_bytes, live_bytes);
  ++allocations;
  return static_cast<char*>(block) + kHead;
}

void counted_delete(void* pointer) {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - kHead;
  live_bytes -= *static_cast<std::size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return counted_new(size);
}
void* operator new[](std::size_t size) {
  return counted_new(size);
}
void operator delete(void* pointer) noexcept {
  counted_delete(pointer);
}
void operator delete[](void* pointer) noexcept {
  counted_delete(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
  counted_delete(pointer);
}
void operator delete[](void* pointer, std::size_t) noexcept {
  counted_delete(pointer);
}

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;

namespace {

const SessionOptions kOptions;

std::size_t live_growth(const auto& action) {
  const std::size_t before = live_bytes;
  action();
  return live_bytes - before;
}

void drain(Session& session, std::string_view input) {
  std::string out;
  while (session.next(input) != Event::kNeedMore) session.append_reply(out);
}

}  // namespace

TEST_CASE("memory: an idle session is less than 200 bytes, with compression agreed upon or not") {
  CHECK(sizeof(Session) < 200);
  DeflatePool pool;
  CHECK(live_growth([] { Session plain(&kOptions); }) == 0);
  const std::string bytes = text_frame(std::string(5000, 'x')) +
                            binary_frame(std::string(300, 'y'), false) + continuation("z") +
                            control_frame(Opcode::kPing, "ping");
  Session plain(&kOptions);
  CHECK(live_growth([&] { drain(plain, bytes); }) == 0);

  DeflateParams forgetful;
  forgetful.client_no_context_takeover = true;
  forgetful.server_no_context_takeover = true;
  ClientDeflate client;
  const std::string packed = compressed_frame(client.deflate(std::string(5000, 'x')));
  std::string out;
  const auto exchange = [&](Session& session) {
    drain(session, packed);
    out.clear();
    session.append_message(out, true, std::string(5000, 'x'));
  };
  Session warm(&kOptions, forgetful, &pool);
  exchange(warm);  // the pool's contexts are made here, for everybody
  Session session(&kOptions, forgetful, &pool);
  CHECK(live_growth([&] { exchange(session); }) == 0);
}

TEST_CASE("memory: an announced length takes none") {
  SessionOptions huge;
  huge.max_message_bytes = ~std::uint64_t{0};
  Session session(&huge);
  const std::string header(
      "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
      "abcd",
      14);
  CHECK(live_growth([&] { drain(session, header); }) == 0);
  const std::string part(10000, 'x');
  CHECK(live_growth([&] { drain(session, part); }) <= 2 * part.size() + 1);
}

TEST_CASE("memory: a message that comes in two reads is stored once, in its size") {
  Session session(&kOptions);
  const std::string bytes = binary_frame(std::string(30000, 'x'));
  const std::size_t before = allocations;
  drain(session, std::string_view(bytes).substr(0, 20000));
  CHECK(allocations == before + 1);
  std::string_view rest = std::string_view(bytes).substr(20000);
  CHECK(session.next(rest) == Event::kMessage);
  CHECK(allocations == before + 1);
  CHECK(session.take_message().take_head().capacity() >= 30000);
}

TEST_CASE("memory: a long message in a block has the block's memory") {
  Session session(&kOptions);
  std::string block = httpuv::base::spare_strings().take_whole();
  const std::string bytes = binary_frame(std::string(65536, 'x'));
  bytes.copy(block.data(), bytes.size());
  std::string_view input(block.data(), bytes.size());
  const std::size_t before = allocations;
  CHECK(session.next(input, &block) == Event::kMessage);
  CHECK(allocations == before + 2);  // the list of blocks
  CHECK(session.take_message().held() == httpuv::base::SpareStrings::kSize);
}

TEST_CASE("memory: a compression bomb takes no more than the limit's order") {
  SessionOptions options;
  options.max_message_bytes = 100000;
  ClientDeflate client(15, 9);
  const std::string bytes =
      compressed_frame(client.deflate(std::string(64 << 20, 'a')), true, Opcode::kBinary);
  DeflatePool pool;
  Session session(&options, {}, &pool);
  std::string_view input = bytes;
  peak_bytes = live_bytes;
  const std::size_t before = live_bytes;
  CHECK(session.next(input) == Event::kError);
  CHECK(session.fault() == Fault::kMessageTooBig);
  CHECK(peak_bytes - before < 4 * 100000);
}

TEST_CASE("memory: an error and a close give everything back") {
  const std::string half = binary_frame(std::string(50000, 'x'), false);
  for (const std::string& end : {std::string("\xFF\xFF"), control_frame(Opcode::kClose)}) {
    Session session(&kOptions);
    CHECK(live_growth([&] {
            drain(session, half);
            drain(session, end);
          }) == 0);
    CHECK(!session.is_open());
  }
}
