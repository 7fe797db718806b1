#include "websocket/deflate/extension.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace httpuv::websocket {
namespace {

struct Parameter {
  std::string_view name;
  std::optional<std::string> value;  // unquoted
};

// Walks over the header: extension-list = 1#( token *( ";" token [ "=" ( token / quoted-string ) ]
// ) ).
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }

  // Moves to the next extension's name; false at the end or on failure. Empty list elements are
  // skipped (RFC 9110 section 5.6.1.2).
  bool next_extension(std::string_view& name) {
    while (skip_space(), take(',')) {
    }
    if (rest_.empty()) return false;
    return token(name);
  }

  // The current extension's next parameter; false at its end or on failure.
  bool next_parameter(Parameter& parameter) {
    parameter.value.reset();
    skip_space();
    if (!take(';')) {
      if (!rest_.empty() && rest_.front() != ',') failed_ = true;
      return false;
    }
    skip_space();
    if (!token(parameter.name)) return false;
    skip_space();
    if (take('=')) {
      skip_space();
      return value(parameter.value.emplace());
    }
    return true;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool token(std::string_view& out) {
    const std::size_t size = std::min(rest_.find_first_of(" \t,;=\""), rest_.size());
    out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (!base::is_token(out)) failed_ = true;
    return !failed_;
  }

  // A token, or a quoted one: what is inside the quotes must be a token too (RFC 6455 section 9.1).
  bool value(std::string& out) {
    if (!take('"')) {
      std::string_view plain;
      if (!token(plain)) return false;
      out = plain;
      return true;
    }
    for (;;) {
      if (rest_.empty()) break;
      if (take('"')) {
        if (!base::is_token(out)) break;
        return true;
      }
      if (take('\\') && rest_.empty()) break;
      out.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    failed_ = true;
    return false;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// One permessage-deflate offer as written.
struct Offer {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<std::uint8_t> server_max_window_bits;
  std::optional<std::uint8_t> client_max_window_bits;  // 15 if it came without a value
  bool declined = false;
  bool malformed = false;
};

// A decimal from 8 to 15 without leading zeros (RFC 7692 section 7.1.2).
std::optional<std::uint8_t> window_bits(std::string_view text) {
  if (text == "8" || text == "9") return static_cast<std::uint8_t>(text[0] - '0');
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5') {
    return static_cast<std::uint8_t>(10 + text[1] - '0');
  }
  return std::nullopt;
}

void set_flag(Offer& offer, bool& flag, const Parameter& parameter) {
  if (flag) offer.declined = true;
  if (parameter.value) offer.malformed = true;
  flag = true;
}

void set_bits(Offer& offer, std::optional<std::uint8_t>& bits, const Parameter& parameter,
              bool value_required) {
  if (bits) offer.declined = true;
  if (parameter.value) {
    bits = window_bits(*parameter.value);
  } else if (!value_required) {
    bits = 15;
  }
  if (!bits) {
    offer.malformed = true;
    bits = 15;
  }
}

Offer read_offer(Scanner& scanner) {
  Offer offer;
  Parameter parameter;
  while (scanner.next_parameter(parameter)) {
    if (parameter.name == "server_no_context_takeover") {
      set_flag(offer, offer.server_no_context_takeover, parameter);
    } else if (parameter.name == "client_no_context_takeover") {
      set_flag(offer, offer.client_no_context_takeover, parameter);
    } else if (parameter.name == "server_max_window_bits") {
      set_bits(offer, offer.server_max_window_bits, parameter, true);
    } else if (parameter.name == "client_max_window_bits") {
      set_bits(offer, offer.client_max_window_bits, parameter, false);
    } else {
      offer.declined = true;
    }
  }
  return offer;
}

void accept(const Offer& offer, const DeflateOptions& options, Negotiation& result) {
  DeflateParams params;
  std::string& out = result.response;
  out = "permessage-deflate";
  // Either side may be told to start every message afresh, asked or not (RFC 7692 sections 7.1.1.1
  // and 7.1.1.2).
  if (offer.server_no_context_takeover || !options.server_context_takeover) {
    params.server_no_context_takeover = true;
    out += "; server_no_context_takeover";
  }
  if (offer.client_no_context_takeover || !options.client_context_takeover) {
    params.client_no_context_takeover = true;
    out += "; client_no_context_takeover";
  }
  params.server_window_bits =
      std::min(offer.server_max_window_bits.value_or(15), options.server_max_window_bits);
  if (offer.server_max_window_bits) {
    out += "; server_max_window_bits=" + std::to_string(params.server_window_bits);
  }
  // Only a client that says it understands the parameter may be told (section 7.1.2.2).
  if (offer.client_max_window_bits && options.client_max_window_bits < 15) {
    params.client_window_bits =
        std::min(*offer.client_max_window_bits, options.client_max_window_bits);
    out += "; client_max_window_bits=" + std::to_string(params.client_window_bits);
  }
  result.deflate = params;
}

}  // namespace

Negotiation negotiate_extensions(std::string_view offers, const DeflateOptions* options) {
  Negotiation result;
  bool malformed_offer = false;
  Scanner scanner(offers);
  for (std::string_view name; scanner.next_extension(name);) {
    const Offer offer = read_offer(scanner);
    if (scanner.failed()) break;
    if (options == nullptr || result.deflate || name != "permessage-deflate") continue;
    if (offer.malformed) {
      malformed_offer = true;
    } else if (!offer.declined) {
      accept(offer, *options, result);
    }
  }
  if (scanner.failed() || (malformed_offer && !result.deflate)) {
    result = {};
    result.malformed = true;
  }
  return result;
}

}  // namespace httpuv::websocket
