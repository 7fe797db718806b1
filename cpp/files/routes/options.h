// The options of a static path, all resolved (nothing is inherited any more).
//
// Plain data; part of an immutable RouteTable, read on the loop thread and on pool threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace httpuv::files {

// A request must carry the field `header` with exactly this value, or it gets 403.
struct Validation {
  std::string header;  // lower-case
  std::string value;
};

struct Options {
  bool indexhtml = true;      // "/dir/" serves the first of `index_names` that exists
  bool fallthrough = false;   // what does not exist goes to the application, not 404
  bool listing = false;       // "/dir/" without an index shows the directory
  bool symlinks = false;      // symbolic links may lead out of the root
  bool dotfiles = false;      // names that begin with "." are served (".well-known" always is)
  bool precompressed = true;  // serve file.br, file.zst, file.gz in the place of file
  bool gzip = false;          // compress what has no .gz beside it, once, off the loop
  std::string html_charset = "utf-8";                        // of text/html; "" for none
  std::vector<std::pair<std::string, std::string>> headers;  // further response fields
  std::optional<Validation> validation;
  // What a request that fails the validation is asked for: 401 with this WWW-Authenticate instead
  // of 403 (RFC 9110 section 11.6.1). "": nothing.
  std::string challenge;
  std::vector<std::string> index_names = {"index.html"};
  std::string not_found;      // page of a 404, a path below the root; "" for a plain text
  std::string cache_control;  // value of Cache-Control; "" for none
  // HTML above the rows of a listing, sent as it is; "{path}" stands for the directory's URL path.
  std::string listing_tools;
};

// Why `name: value` cannot be one of Options::headers, in English, or "": not a field name or value
// (RFC 9110 section 5), or a field that the server sets itself for each answer: the framing, and
// which bytes are sent.
std::string header_error(std::string_view name, std::string_view value);

// Whether a request whose Options::validation field has this value ("" when absent) is let in.
// Takes the same time wherever the first difference is. True when nothing is to be validated.
bool validation_passes(const Options& options, std::string_view header_value);

}  // namespace httpuv::files
