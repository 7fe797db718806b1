#include "files/answer/respond.h"

#include <array>
#include <cerrno>
#include <optional>
#include <random>
#include <utility>

#include "base/encode/sha1.h"
#include "base/text/html.h"
#include "coding/accept_encoding.h"
#include "files/answer/conditions.h"
#include "files/answer/fields.h"
#include "files/answer/ranges.h"
#include "files/pages/accept.h"
#include "files/pages/error_page.h"

namespace httpuv::files {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void set_text(Answer& answer, std::string&& text, std::string_view type, bool head) {
  append_field(answer.own_fields, "Content-Type", type);
  answer.content_length = text.size();
  if (head) return;
  answer.body = BodyKind::kText;
  answer.text = std::move(text);
}

// The answer without a file: a page for browsers, plain text for others.
Answer refusal(int status, std::string_view text, const Route* route, const Query& query) {
  Answer answer;
  answer.status = status;
  if (route != nullptr) {
    answer.own_fields = error_fields(route->options);
    answer.has_date = find_header(route->options, "date") != nullptr;
  }
  append_field(answer.own_fields, "Vary", "Accept");
  if (wants_html(query.accept)) {
    set_text(answer, error_page(status, text), "text/html; charset=utf-8", query.head);
  } else {
    set_text(answer, std::string(text), "text/plain; charset=utf-8", query.head);
  }
  return answer;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.offset) + "-" +
         std::to_string(range.offset + range.length - 1) + "/" + std::to_string(size);
}

// A delimiter that the author of the file cannot foresee, so that it is not in the file (RFC 2046
// section 5.1.1).
std::string boundary_for(const FileEntry& entry) {
  static const std::string secret = [] {
    std::random_device device;
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes.append(std::to_string(device())).append(" ");
    return bytes;
  }();
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string boundary;
  for (const std::uint8_t byte : base::sha1(secret + entry.etag)) {
    boundary.push_back(kHex[byte >> 4]);
    boundary.push_back(kHex[byte & 15]);
  }
  return boundary;
}

// RFC 9110 section 14.6.
void set_multipart(Answer& answer, const FileEntry& entry, const std::vector<ByteRange>& ranges) {
  const std::string boundary = boundary_for(entry);
  append_field(answer.own_fields, "Content-Type", "multipart/byteranges; boundary=" + boundary);
  answer.fields.remove_prefix(entry.type_line);
  std::string closing = "\r\n--" + boundary + "--\r\n";
  answer.content_length = closing.size();
  for (const ByteRange& range : ranges) {
    Part part;
    part.preamble = answer.parts.empty() ? "--" : "\r\n--";
    part.preamble += boundary + "\r\n";
    append_field(part.preamble, "Content-Type", entry.content_type);
    append_field(part.preamble, "Content-Range", content_range(range, entry.size));
    part.preamble += "\r\n";
    part.offset = range.offset;
    part.length = range.length;
    answer.content_length += part.preamble.size() + part.length;
    answer.parts.push_back(std::move(part));
  }
  if (!entry.in_memory) {
    answer.body = BodyKind::kMultipart;
    answer.source = &entry;
    answer.text = std::move(closing);
    return;
  }
  answer.body = BodyKind::kText;
  for (const Part& part : answer.parts) {
    answer.text.append(part.preamble);
    answer.text.append(entry.content, part.offset, part.length);
  }
  answer.text.append(closing);
  answer.parts.clear();
}

const FileEntry& choose_form(const FileEntry& entry, const Query& query) {
  if (!entry.negotiated() || query.accept_encoding.empty()) return entry;
  const std::optional<coding::Coding> coding = coding::choose_coding(
      query.accept_encoding,
      {entry.variants[0] != nullptr, entry.variants[1] != nullptr, entry.variants[2] != nullptr});
  return coding ? *entry.variants[static_cast<std::size_t>(*coding)] : entry;
}

Answer answer_file(const Resolution& resolution, const Query& query) {
  const FileEntry& entry = choose_form(*resolution.entry, query);
  switch (check_conditions(entry, query)) {
    case Verdict::kPreconditionFailed:
      return refusal(412, "Precondition Failed", resolution.route, query);
    case Verdict::kNotModified: {
      Answer answer;
      answer.status = 304;
      answer.fields = entry.fields_304;
      answer.send_content_length = false;
      answer.keep = resolution.entry;
      return answer;
    }
    case Verdict::kGo:
      break;
  }

  Answer answer;
  answer.fields = entry.fields;
  answer.keep = resolution.entry;
  // RFC 9110 section 14.2: a Range field means something in a GET only.
  if (query.range.empty() || query.head || !entry.takes_ranges || !range_applies(entry, query)) {
    answer.set_piece(entry, 0, entry.size, query.head);
    return answer;
  }
  const RangeSet set = parse_ranges(query.range, entry.size);
  if (set.outcome == RangeOutcome::kUnsatisfiable) {
    Answer unsatisfied = refusal(416, "Range Not Satisfiable", resolution.route, query);
    append_field(unsatisfied.own_fields, "Content-Range", "bytes */" + std::to_string(entry.size));
    return unsatisfied;
  }
  if (set.outcome == RangeOutcome::kIgnore) {
    answer.set_piece(entry, 0, entry.size, false);
    return answer;
  }
  answer.status = 206;
  if (set.ranges.size() == 1) {
    const ByteRange& range = set.ranges.front();
    append_field(answer.own_fields, "Content-Range", content_range(range, entry.size));
    answer.set_piece(entry, range.offset, range.length, false);
  } else {
    set_multipart(answer, entry, set.ranges);
  }
  return answer;
}

Answer answer_not_found(const Resolution& resolution, const Query& query) {
  if (resolution.entry == nullptr) return refusal(404, "Not Found", resolution.route, query);
  const FileEntry& page = *resolution.entry;
  Answer answer;
  answer.status = 404;
  answer.fields = page.fields;
  answer.keep = resolution.entry;
  answer.set_piece(page, 0, page.size, query.head);
  return answer;
}

Answer answer_redirect(const Resolution& resolution, const Query& query) {
  Answer answer;
  answer.status = 301;
  std::string location = *resolution.location;
  if (query.has_query) location.append("?").append(query.query);
  append_field(answer.own_fields, "Location", location);
  answer.own_fields += error_fields(resolution.route->options);
  const std::string link = base::escape_html(location);
  set_text(answer,
           "<!DOCTYPE html>\n<title>Moved</title>\n<p><a href=\"" + link + "\">Redirecting to " +
               link + "</a></p>\n",
           "text/html; charset=utf-8", query.head);
  return answer;
}

Answer answer_error(const Resolution& resolution, const Query& query) {
  const int error = resolution.error;
  const bool passing = error == EMFILE || error == ENFILE || error == ENOMEM || error == EBUSY;
  if (!passing) return refusal(500, "Internal Server Error", resolution.route, query);
  Answer answer = refusal(503, "Service Unavailable", resolution.route, query);
  append_field(answer.own_fields, "Retry-After", "1");
  return answer;
}

Answer answer_resolution(const Resolution& resolution, const Query& query) {
  switch (resolution.kind) {
    case ResolutionKind::kFile:
    case ResolutionKind::kListing:
      return answer_file(resolution, query);
    case ResolutionKind::kRedirect:
      return answer_redirect(resolution, query);
    case ResolutionKind::kForbidden:
      return refusal(403, "Forbidden", resolution.route, query);
    case ResolutionKind::kError:
      return answer_error(resolution, query);
    case ResolutionKind::kNotFound:
    case ResolutionKind::kFallthrough:
      break;
  }
  return answer_not_found(resolution, query);
}

}  // namespace

void Answer::set_piece(const FileEntry& entry, std::uint64_t from, std::uint64_t size, bool head) {
  content_length = size;
  if (head || size == 0) return;
  if (entry.in_memory) {
    body = BodyKind::kMemory;
    memory = std::string_view(entry.content).substr(from, size);
    return;
  }
  body = BodyKind::kFile;
  source = &entry;
  offset = from;
  length = size;
}

Answer respond(const Resolution& resolution, const Query& query) {
  Answer answer = answer_resolution(resolution, query);
  const Route* const route = resolution.route;
  answer.has_date = route != nullptr && find_header(route->options, "date") != nullptr;
  return answer;
}

Answer method_not_allowed(const Route& route, std::string_view accept) {
  Query query;
  query.accept = accept;
  Answer answer = refusal(405, "Method Not Allowed", &route, query);
  append_field(answer.own_fields, "Allow", "GET, HEAD");
  return answer;
}

Answer forbidden(const Route& route, std::string_view accept) {
  Query query;
  query.accept = accept;
  const std::string& challenge = route.options.challenge;
  if (challenge.empty()) return refusal(403, "Forbidden", &route, query);
  Answer answer = refusal(401, "Unauthorized", &route, query);
  append_field(answer.own_fields, "WWW-Authenticate", challenge);
  return answer;
}

}  // namespace httpuv::files
