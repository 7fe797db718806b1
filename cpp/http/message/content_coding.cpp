#include "http/message/content_coding.h"

#include <string>
#include <utility>

#include "base/text/ascii.h"

namespace httpuv::http {
namespace {

// Calls f(line, name, value) for each field; `line` without its end.
template <class F>
void each_field(std::string_view fields, F&& f) {
  while (!fields.empty()) {
    const std::string_view line = fields.substr(0, fields.find("\r\n"));
    fields.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    f(line, line.substr(0, colon), base::trim_ows(line.substr(colon + 1)));
  }
}

void append_line(std::string& out, std::string_view line) {
  out.append(line).append("\r\n");
}

}  // namespace

bool may_be_coded(const ResponseHead& head) {
  return !content_forbidden(head.status) && head.status != 206 && !head.has_content_encoding &&
         !head.forbids_coding;
}

void vary_by_coding(ResponseHead& head) {
  if (!std::exchange(head.has_vary, true)) {
    return head.add_serialized("Vary: Accept-Encoding\r\n");
  }
  bool said = false;
  std::string list;
  std::string others;
  each_field(head.fields(),
             [&](std::string_view line, std::string_view name, std::string_view value) {
               if (!base::iequals(name, "vary")) return append_line(others, line);
               said = said || base::has_list_token(value, "accept-encoding") ||
                      base::has_list_token(value, "*");
               if (!value.empty()) list.append(list.empty() ? "" : ", ").append(value);
             });
  if (said) return;
  list.append(list.empty() ? "" : ", ").append("Accept-Encoding");
  others.append("Vary: ").append(list).append("\r\n");
  head.replace_fields(std::move(others));
}

void mark_coded(ResponseHead& head, std::string_view coding) {
  head.has_content_encoding = true;
  head.content_length.reset();
  if (!head.has_etag && !head.has_accept_ranges) {
    head.add_serialized("Content-Encoding: ");
    head.add_serialized(coding);
    return head.add_serialized("\r\n");
  }
  std::string fields;
  fields.reserve(head.fields().size() + 32);
  each_field(head.fields(),
             [&](std::string_view line, std::string_view name, std::string_view value) {
               if (base::iequals(name, "accept-ranges")) return;
               if (base::iequals(name, "etag") && value.starts_with('"')) {
                 fields.append("ETag: W/").append(value).append("\r\n");
               } else {
                 append_line(fields, line);
               }
             });
  fields.append("Content-Encoding: ").append(coding).append("\r\n");
  head.replace_fields(std::move(fields));
}

}  // namespace httpuv::http
