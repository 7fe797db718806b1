// Opening, reading and ending; writing is in tls_sending.cpp.
#include "net/tls/tls_stream.h"

#include <algorithm>
#include <utility>

namespace httpuv::net::tls {

namespace {

// The headers of a record and of the message in it, which tells the length.
constexpr std::size_t kBeginning = 9;
constexpr char kHandshakeRecord = 22;  // RFC 8446 section 5.1
// Of the first message. Those of real clients have some kilobytes; OpenSSL would make room for 128
// KiB as soon as it is announced.
constexpr std::size_t kMaxHello = std::size_t{16} * 1024;

// After our last bytes, input is read for this time: a reset would overtake them.
constexpr std::int64_t kLastWordsMs = 2000;

// What OpenSSL itself may have to say (keys to be changed) to a peer that does not read.
constexpr std::size_t kMaxSaid = std::size_t{64} * 1024;

constexpr std::string_view kPlainRefusal =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 55\r\n"
    "Connection: close\r\n"
    "\r\n"
    "This port speaks HTTPS: the address begins with https:\n";

}  // namespace

TlsStream::TlsStream(Endpoint& endpoint)
    : endpoint_(endpoint),
      session_(endpoint.hosts(), endpoint.sealed()),
      charge_(endpoint.charge(kHandshakeCost)) {}

void TlsStream::charge_to(base::Ledger& ledger, base::Ledger::Kind kind) {
  raw_.charge_to(ledger, kind);
  if (chunks_.empty()) chunks_.charge_to(base::Charge(ledger, kind, 0));
}

void TlsStream::hold(std::string&& bytes) {
  held_ = std::move(bytes);
  charge_.resize((state_ == State::kOpen ? kCost : kHandshakeCost) + held_.capacity());
}

int TlsStream::open(Accepted&& accepted, StreamHandler* handler) {
  handler_ = handler;
  const int error = raw_.open(std::move(accepted), this);
  if (error != 0) return error_ = error;
  if (!session_.valid()) {
    raw_.close();
    return error_ = UV_ENOMEM;
  }
  endpoint_.look();
  Loop& loop = raw_.loop();
  deadline_.set(loop.timers(), loop.now_ms() + endpoint_.handshake_timeout());
  raw_.start_reading();
  return 0;
}

// --- reading ------------------------------------------------------------------------------------

void TlsStream::start_reading() {
  if (raw_.closing() || reading_ || eof_ || error_ != 0) return;
  reading_ = true;
  if (state_ != State::kOpen) return;
  if (!held_.empty() || peer_ended_ || session_.has_pending()) {
    raw_.loop().run_next_turn(*this);
  } else {
    raw_.start_reading();
  }
}

void TlsStream::stop_reading() {
  reading_ = false;
  if (state_ == State::kOpen) raw_.stop_reading();
}

void TlsStream::on_data(std::string_view data) {
  guarded([&] {
    if (state_ != State::kRefused) take_in(data);
  });
}

// What is left of `input` is held, and nothing more is read from the socket meanwhile.
void TlsStream::take_in(std::string_view input) {
  std::string joined;
  if (state_ == State::kBeginning) {
    joined = std::exchange(held_, {});
    joined += input;
    input = joined;
    if (!begin(&input)) return;
  }
  session_.feed(input);
  if (state_ == State::kOpen || shake_hands()) deliver();
  if (raw_.closing() || error_ != 0 || state_ != State::kOpen) return;
  hold(std::string(session_.unread()));
  session_.feed({});
  if (!reading_) raw_.stop_reading();
}

// True: the peer speaks TLS. Else it is refused, or there is too little to tell.
bool TlsStream::begin(std::string_view* input) {
  if (input->front() != kHandshakeRecord) {
    const bool plain = input->front() >= 'A' && input->front() <= 'Z';
    refuse(plain ? kPlainRefusal : "", plain ? "it speaks plain HTTP" : "it does not speak TLS");
    return false;
  }
  if (input->size() < kBeginning) {
    hold(std::string(*input));
    return false;
  }
  const auto byte = [&](std::size_t at) {
    return std::size_t{static_cast<unsigned char>((*input)[at])};
  };
  if ((byte(6) << 16 | byte(7) << 8 | byte(8)) > kMaxHello) {
    refuse("", "its first message is too long");
    return false;
  }
  state_ = State::kHandshake;
  return true;
}

// True: it is done.
bool TlsStream::shake_hands() {
  const Session::Status status = session_.handshake();
  if (status == Session::Status::kMore) {
    if (flush() != 0) handler_->on_error(error_);
    return false;
  }
  if (status != Session::Status::kDone) {
    const std::string alert = std::exchange(endpoint_.sealed(), {});
    refuse(alert, status == Session::Status::kClosed ? "it gave up" : session_.error());
    return false;
  }
  deadline_.clear();
  state_ = State::kOpen;
  charge_.resize(kCost);
  info_ = session_.describe();
  endpoint_.observer().handshake_done(*info_);
  if (flush() != 0) {
    handler_->on_error(error_);
    return false;
  }
  // What was written meanwhile.
  if (!chunks_.empty() || shutdown_) raw_.loop().run_next_turn(*this);
  return true;
}

void TlsStream::deliver() {
  while (reading_ && error_ == 0 && !raw_.closing()) {
    std::span<char> into = handler_->read_into();
    if (into.empty()) into = endpoint_.opened();
    auto status = peer_ended_ ? Session::Status::kClosed : Session::Status::kDone;
    std::size_t filled = 0;
    while (status == Session::Status::kDone && filled < into.size()) {
      std::size_t count = 0;
      status = session_.read(into.subspan(filled), &count);
      filled += count;
    }
    peer_ended_ = status == Session::Status::kClosed;
    const std::size_t said = endpoint_.sealed().size();
    int error = flush();
    said_ = raw_.busy() ? said_ + said : 0;
    if (said_ > kMaxSaid) error = UV_EPROTO;
    if (filled > 0) {
      handler_->on_data({into.data(), filled});
      if (raw_.closing()) return;
    }
    if (error == 0 && status == Session::Status::kFailed) error = UV_EPROTO;
    if (error != 0) return handler_->on_error(fail(error));
    if (status == Session::Status::kMore) return;
    if (peer_ended_ && reading_) {
      reading_ = false;
      eof_ = true;
      raw_.stop_reading();
      return handler_->on_eof();
    }
  }
}

// Nothing more comes of this connection but, for a moment, what the peer is still sending.
void TlsStream::refuse(std::string_view last_words, std::string_view reason) {
  state_ = State::kRefused;
  held_.clear();
  endpoint_.observer().handshake_failed(raw_.peer(), reason);
  Loop& loop = raw_.loop();
  deadline_.set(loop.timers(), loop.now_ms() + kLastWordsMs);
  const int error = raw_.write(last_words);
  if (error != 0) return handler_->on_error(fail(error));
  raw_.shutdown();
}

void TlsStream::on_eof() {
  tell_failed("it left");
  // An attacker on the network can send a FIN, so the data may be incomplete.
  handler_->on_error(fail(UV_ECONNRESET));
}

void TlsStream::on_error(int error) noexcept {
  tell_failed("its connection broke");
  handler_->on_error(fail(error));
}

void TlsStream::on_deadline(Deadline&) noexcept {
  tell_failed("it took too long");
  handler_->on_error(fail(UV_ETIMEDOUT));
}

// If the handshake was under way.
void TlsStream::tell_failed(std::string_view why) noexcept {
  if (state_ != State::kBeginning && state_ != State::kHandshake) return;
  guarded([&] { endpoint_.observer().handshake_failed(raw_.peer(), why); });
}

void TlsStream::run_turn() noexcept {
  guarded([this] { go_on_reading(); });
}

// And with what waits to be written.
void TlsStream::go_on_reading() {
  if (reading_ && state_ == State::kOpen && !raw_.reading()) {
    const std::string input = std::exchange(held_, {});
    take_in(input);
    if (raw_.closing() || error_ != 0) return;
    if (reading_ && held_.empty()) raw_.start_reading();
  }
  if (state_ != State::kOpen || disk_read_ || raw_.busy()) return;
  if (!chunks_.empty()) return go_on();
  if (shutdown_ && end_sending() != 0) handler_->on_error(error_);
}

// --- ending -------------------------------------------------------------------------------------

void TlsStream::stop() {
  reading_ = false;
  deadline_.clear();
  withdraw();
  if (disk_read_) disk_read_->abandon();
  disk_read_.reset();
}

int TlsStream::fail(int error) noexcept {
  error_ = error;
  endpoint_.sealed().clear();
  stop();
  raw_.stop_reading();
  return error;
}

void TlsStream::shutdown() {
  if (refusal() != 0) return;
  shutdown_ = true;
  // Fails only with the socket; reading reports that.
  if (state_ == State::kOpen && chunks_.empty()) attempt([this] { return end_sending(); });
}

void TlsStream::close() {
  if (raw_.closing()) return;
  // Everything was sent: the peer is told that this is the end. Otherwise it sees that there was
  // more.
  if (state_ == State::kOpen && error_ == 0 && !busy() && !sent_end_) {
    attempt([this] {
      session_.end();
      return flush();
    });
  }
  stop();
  raw_.close();
}

void TlsStream::reset() {
  stop();
  raw_.reset();
}

}  // namespace httpuv::net::tls
