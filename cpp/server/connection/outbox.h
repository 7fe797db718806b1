// Gathers the bytes that consecutive answers write to one connection. So sixteen pipelined answers
// need one system call, and an idle connection owns no buffer. Loop thread only, one for each
// server. A write error goes to the connection, which closes itself.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::server {

class Connection;

class Outbox {
 public:
  // The buffer of `connection` for appending; bytes of another connection are written first.
  std::string& open(Connection& connection) {
    if (owner_ != &connection || buffer_.size() >= kFull) {
      flush();
      owner_ = &connection;
    }
    return buffer_;
  }

  // Writes the gathered bytes. Called at the end of every turn and batch, and by a connection
  // before it uses its stream in any other way.
  void flush() {
    if (owner_ != nullptr) write_out();
  }
  void flush(const Connection& connection) {
    if (owner_ == &connection) write_out();
  }

  // What was gathered for the connection, for a write that goes on with something large; done()
  // follows it. What was gathered for another one is written.
  std::string_view claim(const Connection& connection) {
    if (owner_ != &connection) {
      flush();
      return {};
    }
    owner_ = nullptr;
    return buffer_;
  }
  void done() { buffer_.clear(); }

  // The connection closes: drops its bytes.
  void forget(const Connection& connection) {
    if (owner_ == &connection) {
      owner_ = nullptr;
      buffer_.clear();
    }
  }

 private:
  static constexpr std::size_t kFull = 64 * 1024;
  void write_out();

  Connection* owner_ = nullptr;
  std::string buffer_;
};

}  // namespace httpuv::server
