// Whatever comes in, and however it is cut: the parser finds the same, and what it accepts is as
// strict as it says.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "../cpp/limits.h"
#include "base/text/ascii.h"
#include "http/parse/request_parser.h"

namespace {

using namespace httpuv;
using namespace httpuv::http;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_slice(const RequestHead& head, Slice slice) {
  require(std::uint64_t{slice.offset} + slice.size <= head.bytes.size());
}

void check_head(const RequestHead& head, const RequestLimits& limits) {
  require(head.bytes.size() <= limits.max_head_bytes);
  require(head.fields.size() <= limits.max_header_count);
  for (const Slice slice : {head.method, head.target, head.path, head.query, head.authority}) {
    check_slice(head, slice);
    for (const char c : head.view(slice)) require(c > ' ' && c != '\x7F');
  }
  require(base::is_token(head.view(head.method)));
  require(head.path.size > 0 || head.is_connect);
  std::size_t hosts = 0, lengths = 0, codings = 0;
  for (const HeaderField& field : head.fields) {
    check_slice(head, field.name);
    check_slice(head, field.value);
    const std::string_view name = head.view(field.name);
    require(base::is_token(name));
    require(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
    require(find_field(name) == field.id);
    require(base::is_field_value(head.view(field.value)));
    hosts += name == "host";
    lengths += name == "content-length";
    codings += name == "transfer-encoding";
  }
  require(hosts == 1 || (hosts == 0 && head.minor_version == 0));
  require(lengths == head.content_length.has_value());
  require(head.chunked == (codings > 0));
  require(!(head.chunked && head.content_length));
}

// All that comes out, as text.
std::string transcript(std::string_view stream, const RequestLimits& limits, std::uint32_t seed) {
  std::string text;
  RequestParser parser(&limits);
  std::uint64_t body_size = 0;
  while (!stream.empty()) {
    std::size_t size = stream.size();
    if (seed != 0) {
      seed = seed * 1664525 + 1013904223;
      size = std::min<std::size_t>(size, 1 + (seed >> 16) % 13);
    }
    const std::vector<char> piece(stream.begin(), stream.begin() + static_cast<long>(size));
    stream.remove_prefix(size);
    std::string_view input(piece.data(), piece.size());
    while (true) {
      const ParseEvent event = parser.next(input);
      if (event == ParseEvent::kNeedMore) break;
      if (event == ParseEvent::kError) {
        text.append(std::to_string(parser.error_status())).append(parser.error_reason());
        return text;
      }
      if (event == ParseEvent::kHead) {
        const RequestHead head = parser.take_head();
        check_head(head, limits);
        body_size = 0;
        text.append(head.bytes).append(head.view(head.path)).append("?");
        text.append(head.view(head.query)).append("@").append(head.view(head.authority));
        text.append(head.joined(Field::kHost)).append(head.keep_alive ? "K" : "C");
      } else if (event == ParseEvent::kBody) {
        body_size += parser.body().size();
        require(body_size <= limits.max_body_bytes);
        text.append(parser.body());
      } else {
        text.append("END\n");
      }
    }
    require(input.empty());
  }
  text.append(parser.idle() ? "idle" : parser.in_body() ? "body" : "head");
  text.append(parser.finish() == ParseEvent::kError ? " cut" : "");
  return text;
}

// The first byte may skip what a fuzzer would have to find first.
constexpr std::string_view kStarts[] = {
    "",
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  RequestLimits limits = usual_limits();
  if (data[0] & 0x80) {
    limits.max_head_bytes = 120;
    limits.max_header_count = 4;
    limits.max_body_bytes = 40;
  }
  std::string stream(kStarts[(data[0] & 0x7F) % std::size(kStarts)]);
  stream.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = transcript(stream, limits, 0);
  require(transcript(stream, limits, data[1] + 1U) == whole);
  return 0;
}
