#include <doctest/doctest.h>

#include <string>

#include "websocket/deflate/extension.h"

using namespace httpuv::websocket;

namespace {

DeflateOptions takeover() {
  DeflateOptions options;
  options.server_context_takeover = true;
  options.client_context_takeover = true;
  options.server_max_window_bits = 15;
  return options;
}

// The answer to an offer, "-" if compression is off, "malformed" if the request must be refused.
std::string answer(std::string_view offers, const DeflateOptions& options = takeover()) {
  const Negotiation result = negotiate_extensions(offers, &options);
  if (result.malformed) {
    CHECK(!result.deflate);
    CHECK(result.response.empty());
    return "malformed";
  }
  CHECK(result.deflate.has_value() == !result.response.empty());
  return result.deflate ? result.response : "-";
}

}  // namespace

TEST_CASE("permessage-deflate: the plain offer") {
  CHECK(answer("permessage-deflate") == "permessage-deflate");
  const Negotiation result = negotiate_extensions("permessage-deflate", nullptr);
  CHECK(!result.deflate);
  CHECK(!result.malformed);
}

TEST_CASE("permessage-deflate: by default nothing is kept between messages, asked or not") {
  const DeflateOptions defaults;
  CHECK(answer("permessage-deflate; client_max_window_bits", defaults) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  const Negotiation result = negotiate_extensions("permessage-deflate", &defaults);
  REQUIRE(result.deflate);
  CHECK(result.deflate->server_no_context_takeover);
  CHECK(result.deflate->client_no_context_takeover);
  CHECK(result.deflate->server_window_bits == defaults.server_max_window_bits);
  CHECK(result.deflate->client_window_bits == 15);
}

TEST_CASE("permessage-deflate: what the client asks for is granted and said") {
  CHECK(answer("permessage-deflate; server_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover");
  CHECK(answer("permessage-deflate; client_no_context_takeover") ==
        "permessage-deflate; client_no_context_takeover");
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string offer = "permessage-deflate; server_max_window_bits=" + std::to_string(bits);
    CHECK(answer(offer) == offer);
    const DeflateOptions options = takeover();
    CHECK(negotiate_extensions(offer, &options).deflate->server_window_bits == bits);
  }
  CHECK(answer("permessage-deflate;server_max_window_bits=\"10\"") ==
        "permessage-deflate; server_max_window_bits=10");
  CHECK(answer("permessage-deflate;server_max_window_bits=\"1\\0\"") ==
        "permessage-deflate; server_max_window_bits=10");
}

TEST_CASE("permessage-deflate: the server's own limits") {
  DeflateOptions options = takeover();
  options.server_max_window_bits = 11;
  options.client_max_window_bits = 10;
  // Not said unless offered: a client need not understand it. But kept to.
  CHECK(answer("permessage-deflate", options) == "permessage-deflate");
  CHECK(negotiate_extensions("permessage-deflate", &options).deflate->server_window_bits == 11);
  CHECK(negotiate_extensions("permessage-deflate", &options).deflate->client_window_bits == 15);
  CHECK(answer("permessage-deflate; server_max_window_bits=15", options) ==
        "permessage-deflate; server_max_window_bits=11");
  CHECK(answer("permessage-deflate; server_max_window_bits=9", options) ==
        "permessage-deflate; server_max_window_bits=9");
  CHECK(answer("permessage-deflate; client_max_window_bits", options) ==
        "permessage-deflate; client_max_window_bits=10");
  CHECK(answer("permessage-deflate; client_max_window_bits=9", options) ==
        "permessage-deflate; client_max_window_bits=9");
  CHECK(answer("permessage-deflate; client_max_window_bits=12", options) ==
        "permessage-deflate; client_max_window_bits=10");
  CHECK(negotiate_extensions("permessage-deflate; client_max_window_bits", &options)
            .deflate->client_window_bits == 10);
}

TEST_CASE("permessage-deflate: an offer that cannot be taken as it stands is passed over") {
  CHECK(answer("permessage-deflate; unknown") == "-");
  CHECK(answer("permessage-deflate; server_no_context_takeover; server_no_context_takeover") ==
        "-");
  CHECK(answer("permessage-deflate; server_max_window_bits=10; server_max_window_bits=10") == "-");
  CHECK(answer("permessage-deflate; client_max_window_bits; client_max_window_bits") == "-");
  CHECK(answer("Permessage-deflate") == "-");
  CHECK(answer("foo; bar") == "-");
  CHECK(answer("foo; bar=baz, x-webkit-deflate-frame") == "-");
  CHECK(answer("permessage-deflate; unknown, permessage-deflate") == "permessage-deflate");
  CHECK(answer("foo, permessage-deflate; mode=x, permessage-deflate; server_max_window_bits=9, "
               "permessage-deflate") == "permessage-deflate; server_max_window_bits=9");
}

TEST_CASE("permessage-deflate: values outside their grammar") {
  for (const char* value : {"foo", "7", "16", "08", "0", "+9", "1e1", "100", "\"1 0\""}) {
    CHECK(answer(std::string("permessage-deflate; server_max_window_bits=") + value) ==
          "malformed");
    CHECK(answer(std::string("permessage-deflate; client_max_window_bits=") + value) ==
          "malformed");
  }
  CHECK(answer("permessage-deflate; server_max_window_bits") == "malformed");
  CHECK(answer("permessage-deflate; server_no_context_takeover=1") == "malformed");
  CHECK(answer("permessage-deflate; client_no_context_takeover=\"true\"") == "malformed");
  // Another offer is good: then that one is taken.
  CHECK(answer("permessage-deflate; server_max_window_bits=foo, permessage-deflate") ==
        "permessage-deflate");
  // Without compression the parameters mean nothing to us.
  CHECK(!negotiate_extensions("permessage-deflate; server_max_window_bits=foo", nullptr).malformed);
}

TEST_CASE("Sec-WebSocket-Extensions: the grammar") {
  CHECK(answer("") == "-");
  CHECK(answer(" , ,, permessage-deflate ,") == "permessage-deflate");
  CHECK(answer("permessage-deflate ; server_no_context_takeover\t;client_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  CHECK(answer("foo; a=\"b\", permessage-deflate") == "permessage-deflate");
  for (const char* bad :
       {";", "foo;", "foo; ", "foo;;bar", "foo bar", "foo; a=", "foo; a=\"", "foo; a=\"b",
        "foo; a=\"\"", "foo; a=\"b c\"", "foo; a=\"b\" c", "foo; =b", "f\"oo\"", "foo; a=b=c",
        "foo; a=\"b\\", "(x)", "foo; a=b\"c\"", "permessage-deflate, foo;", "f\xC3\xA9"}) {
    INFO(bad);
    CHECK(answer(bad) == "malformed");
    CHECK(negotiate_extensions(bad, nullptr).malformed);
  }
}

TEST_CASE("Sec-WebSocket-Extensions: a very long list is no burden") {
  std::string offers;
  for (int i = 0; i < 20000; ++i) offers += "permessage-deflate; x, ";
  CHECK(answer(offers + "permessage-deflate") == "permessage-deflate");
}
