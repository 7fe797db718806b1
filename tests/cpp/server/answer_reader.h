// Reads what a server has sent on one connection, independently of the code that wrote it: answers
// of HTTP/1.1 and, behind a 101, WebSocket frames. Throws std::logic_error where that is not what
// the RFCs allow a server to send.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace httpuv::server::test {

// Throws std::logic_error.
void require(bool holds, const std::string& what);

struct ReadAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  bool complete = true;  // false: the connection ended in the middle of it

  [[nodiscard]] std::optional<std::string> field(std::string_view name) const;
};

struct ReadFrame {
  int opcode = 0;
  bool final = false;
  std::string payload;
};

class AnswerReader {
 public:
  // Reads on in all that was sent so far. `ended`: there will be no more.
  void read(std::string_view all, bool ended);

  [[nodiscard]] const std::vector<ReadAnswer>& answers() const { return answers_; }
  [[nodiscard]] const std::vector<ReadFrame>& frames() const { return frames_; }
  [[nodiscard]] bool upgraded() const { return upgraded_; }

 private:
  bool read_answer(std::string_view rest, bool ended);
  bool read_body(std::string_view rest, bool ended, ReadAnswer& answer, std::size_t& used);
  bool read_frame(std::string_view rest);

  std::vector<ReadAnswer> answers_;
  std::vector<ReadFrame> frames_;
  std::size_t read_ = 0;
  bool interim_ = false;  // a 1xx came, and no final answer behind it
  bool last_ = false;     // an answer has said that the connection ends behind it
  bool upgraded_ = false;
  bool close_sent_ = false;
};

}  // namespace httpuv::server::test
