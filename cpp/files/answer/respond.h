// The answer to a request for a static path: method, conditions, coding and ranges applied to the
// resolution (RFC 9110 sections 12 to 15).
//
// Pure: no I/O, no clock, any thread that may hold the Resolution. Never fails.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/answer/resolution.h"

namespace httpuv::files {

// The parts of a request that count. "" = absent; repeated fields joined by ", ".
struct Query {
  bool head = false;  // HEAD instead of GET
  bool has_query = false;
  std::string_view query;  // behind the "?", as sent: a redirect keeps it
  std::string_view range, if_range, if_match, if_none_match, if_modified_since, if_unmodified_since;
  std::string_view accept, accept_encoding;
  std::int64_t now = 0;  // seconds since 1970
};

// One part of a multipart body: these bytes, then that piece of the file.
struct Part {
  std::string preamble;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

enum class BodyKind {
  kNone,
  kMemory,     // Answer::memory
  kText,       // Answer::text
  kFile,       // `length` bytes of `source->fd` from `offset`
  kMultipart,  // for each part its preamble and its piece of `source->fd`; then `text`
};

struct Answer {
  int status = 200;
  // Serialised "Name: value\r\n" lines: first `fields` (a view into what `keep` holds), then
  // `own_fields`. Neither Date, Content-Length nor Connection is among them.
  std::string_view fields;
  std::string own_fields;

  std::uint64_t content_length = 0;  // of the body; for HEAD of the one that GET would get
  bool send_content_length = true;   // false for 304
  bool has_date = false;             // the route has a Date of its own among its fields

  BodyKind body = BodyKind::kNone;  // kNone for HEAD
  std::string_view memory;          // a view into what `keep` holds
  std::string text;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::vector<Part> parts;

  // The file that is sent: its descriptor stays open as long as `keep` lives, and unchanged() says
  // between two pieces whether it is still the same. Null unless kFile or kMultipart.
  const FileEntry* source = nullptr;
  std::shared_ptr<const FileEntry> keep;

  // The body is `size` bytes of the entry, which `keep` holds, from `from`. `head`: of a HEAD.
  void set_piece(const FileEntry& entry, std::uint64_t from, std::uint64_t size, bool head);
};

// For any kind but kFallthrough.
Answer respond(const Resolution& resolution, const Query& query);

// 405 with Allow, for a method other than GET and HEAD where the route does not fall through.
Answer method_not_allowed(const Route& route, std::string_view accept = {});

// 403, or 401 with the route's challenge, for a request that does not pass its validation.
Answer forbidden(const Route& route, std::string_view accept = {});

}  // namespace httpuv::files
