#include "answer_reader.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <stdexcept>

namespace httpuv::server::test {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

constexpr std::size_t kNone = SIZE_MAX;

std::size_t number(std::string_view text, std::size_t base) {
  if (text.empty() || text.size() > 15) return kNone;
  std::size_t value = 0;
  for (const char c : text) {
    const std::size_t digit = c >= '0' && c <= '9'   ? static_cast<std::size_t>(c - '0')
                              : c >= 'a' && c <= 'f' ? static_cast<std::size_t>(c - 'a') + 10
                                                     : base;
    if (digit >= base) return kNone;
    value = value * base + digit;
  }
  return value;
}

}  // namespace

void require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error(what);
}

std::optional<std::string> ReadAnswer::field(std::string_view name) const {
  for (const auto& [each, value] : fields) {
    if (each == name) return value;
  }
  return std::nullopt;
}

void AnswerReader::read(std::string_view all, bool ended) {
  require(all.size() >= read_, "what was sent has shrunk");
  while (read_ < all.size()) {
    const std::string_view rest = all.substr(read_);
    if (upgraded_ ? !read_frame(rest) : !read_answer(rest, ended)) break;
  }
}

bool AnswerReader::read_answer(std::string_view rest, bool ended) {
  require(!last_, "bytes behind the last answer");
  const std::string_view begin = "HTTP/1.1 ";
  require(rest.substr(0, begin.size()) == begin.substr(0, rest.size()),
          "not the beginning of an answer: " + std::string(rest.substr(0, 40)));
  const std::size_t end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  ReadAnswer answer;
  std::string_view head = rest.substr(0, end + 2);
  const auto status = number(head.substr(begin.size(), 3), 10);
  require(status != kNone && status >= 100 && head.size() > 13 && head[12] == ' ',
          "malformed status line");
  answer.status = static_cast<int>(status);
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(": ");
    require(colon != std::string_view::npos && colon > 0, "malformed field: " + std::string(line));
    require(line.find_first_of("\r\n") == std::string_view::npos, "a line within a line");
    answer.fields.emplace_back(lower(line.substr(0, colon)), line.substr(colon + 2));
  }
  std::size_t used = end + 4;
  if (answer.status == 101) {
    upgraded_ = true;
  } else if (answer.status < 200) {
    interim_ = true;
    require(!answer.field("content-length") && !answer.field("transfer-encoding"),
            "an interim answer with a body");
    read_ += used;
    return true;
  } else if (!read_body(rest, ended, answer, used)) {
    return false;
  }
  interim_ = false;
  const auto connection = answer.field("connection");
  last_ = connection && lower(*connection) == "close";
  require(answer.complete || ended, "incomplete");
  read_ += used;
  answers_.push_back(std::move(answer));
  return true;
}

bool AnswerReader::read_body(std::string_view rest, bool ended, ReadAnswer& answer,
                             std::size_t& used) {
  const auto length = answer.field("content-length");
  const auto coding = answer.field("transfer-encoding");
  require(!length || !coding, "two framings");
  if (answer.status == 204 || answer.status == 304) {
    require(!coding && (!length || answer.status == 304), "a body where none may be");
    return true;
  }
  // What the tests' application says of its own answers; those of the server itself are short texts
  // that do not begin as an answer does.
  if (answer.field("x-head")) return true;
  if (length) {
    const std::size_t size = number(*length, 10);
    require(size != kNone, "malformed Content-Length");
    const std::string_view body = rest.substr(used);
    const bool from_application = answer.field("x-sequence").has_value();
    if (!from_application && size > 0 && body.starts_with("HTTP/1.1 ")) return true;
    if (body.size() < size) {
      if (!ended) return false;
      answer.complete = !from_application && body.empty();
      answer.body = body;
      used += body.size();
      return true;
    }
    answer.body = body.substr(0, size);
    used += size;
    return true;
  }
  if (!coding) {
    const auto connection = answer.field("connection");
    require(connection && lower(*connection) == "close", "a body without an end");
    if (!ended) return false;
    answer.body = rest.substr(used);
    used = rest.size();
    return true;
  }
  require(*coding == "chunked", "unknown coding");
  while (true) {
    const std::string_view here = rest.substr(used);
    const std::size_t line = here.find("\r\n");
    const bool whole_line = line != std::string_view::npos;
    const std::size_t size = whole_line ? number(here.substr(0, line), 16) : 0;
    require(size != kNone, "malformed chunk");
    if (whole_line && size == 0) {
      const std::size_t trailers = here.find("\r\n\r\n");
      if (trailers != std::string_view::npos) {
        used += trailers + 4;
        return true;
      }
    } else if (whole_line && here.size() >= line + 4 + size) {
      require(here.substr(line + 2 + size, 2) == "\r\n", "a chunk of another length");
      answer.body.append(here.substr(line + 2, size));
      used += line + 4 + size;
      continue;
    }
    if (!ended) return false;
    answer.complete = false;
    used = rest.size();
    return true;
  }
}

bool AnswerReader::read_frame(std::string_view rest) {
  require(!close_sent_, "bytes behind a Close frame");
  const auto byte = [rest](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  if (rest.size() < 2) return false;
  require((byte(0) & 0x70) == 0, "reserved bits");
  require((byte(1) & 0x80) == 0, "a masked frame of a server");
  ReadFrame frame;
  frame.opcode = byte(0) & 15;
  frame.final = (byte(0) & 0x80) != 0;
  require(frame.opcode <= 2 || (frame.opcode >= 8 && frame.opcode <= 10), "unknown opcode");
  require(frame.opcode < 8 || (frame.final && byte(1) <= 125), "a control frame that is too long");
  std::size_t header = 2;
  std::uint64_t size = byte(1);
  if (size >= 126) {
    const std::size_t digits = size == 126 ? 2 : 8;
    header += digits;
    if (rest.size() < header) return false;
    size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | byte(i);
  }
  if (rest.size() - header < size) return false;
  frame.payload = rest.substr(header, size);
  close_sent_ = frame.opcode == 8;
  frames_.push_back(std::move(frame));
  read_ += header + static_cast<std::size_t>(size);
  return true;
}

}  // namespace httpuv::server::test
