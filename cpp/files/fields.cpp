#include "files/fields.h"

#include "base/ascii.h"
#include "base/http_date.h"

namespace httpuv::files {
namespace {

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(base::trim_ows(value)).append("\r\n");
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && base::iequals(text.substr(0, prefix.size()), prefix);
}

// Describes the bytes of the file rather than the site.
bool is_of_content(std::string_view name) {
  return starts_with_ignoring_case(name, "content-") &&
         !starts_with_ignoring_case(name, "content-security-policy");
}

bool is_of_caching(std::string_view name) {
  return base::iequals(name, "cache-control") || base::iequals(name, "expires") ||
         base::iequals(name, "pragma") || base::iequals(name, "age");
}

// RFC 9110 section 15.4.5: of the fields about the content a 304 repeats Content-Location only.
bool belongs_to_304(std::string_view name) {
  return !is_of_content(name) || base::iequals(name, "content-location");
}

void append_negotiation_and_caching(std::string& out, const Options& options, bool negotiated) {
  if (negotiated) append_line(out, "Vary", "Accept-Encoding");
  if (!options.cache_control.empty() && find_header(options, "cache-control") == nullptr) {
    append_line(out, "Cache-Control", options.cache_control);
  }
}

}  // namespace

const std::string* find_header(const Options& options, std::string_view name) {
  for (const auto& [key, value] : options.headers) {
    if (base::iequals(key, name)) return &value;
  }
  return nullptr;
}

void write_file_fields(FileEntry& entry, const Options& options, std::string_view coding,
                       bool negotiated) {
  if (const std::string* type = find_header(options, "content-type")) entry.content_type = *type;
  std::string& out = entry.fields;
  append_line(out, "Content-Type", entry.content_type);
  entry.type_line = out.size();
  if (!coding.empty()) append_line(out, "Content-Encoding", coding);
  if (entry.last_modified >= 0) {
    char date[base::kHttpDateSize];
    base::format_http_date(entry.last_modified, date);
    append_line(out, "Last-Modified", std::string_view(date, sizeof(date)));
  }
  append_line(out, "ETag", entry.etag);
  append_line(out, "Accept-Ranges", "bytes");
  append_negotiation_and_caching(out, options, negotiated);
  for (const auto& [name, value] : options.headers) {
    if (!base::iequals(name, "content-type")) append_line(out, name, value);
  }
  out.shrink_to_fit();

  // No Last-Modified: the ETag says it better.
  std::string& brief = entry.fields_304;
  append_line(brief, "ETag", entry.etag);
  append_negotiation_and_caching(brief, options, negotiated);
  for (const auto& [name, value] : options.headers) {
    if (belongs_to_304(name)) append_line(brief, name, value);
  }
  brief.shrink_to_fit();
}

void write_page_fields(FileEntry& entry, const Options& options) {
  append_line(entry.fields, "Content-Type", entry.content_type);
  entry.type_line = entry.fields.size();
  entry.fields.append(error_fields(options));
}

void write_listing_fields(FileEntry& entry, const Options& options) {
  append_line(entry.fields_304, "ETag", entry.etag);
  entry.fields_304.append(error_fields(options));
  write_page_fields(entry, options);
  append_line(entry.fields, "ETag", entry.etag);
}

std::string error_fields(const Options& options) {
  std::string out;
  for (const auto& [name, value] : options.headers) {
    if (!is_of_content(name) && !is_of_caching(name)) append_line(out, name, value);
  }
  return out;
}

}  // namespace httpuv::files
