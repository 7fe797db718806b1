#include "files/answer/fields.h"

#include "base/text/ascii.h"
#include "base/text/http_date.h"
#include "files/disk/stamp.h"

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

// Says how long the file may be kept, or names its state, or tells how it can be asked for.
bool is_of_file(std::string_view name) {
  return base::iequals(name, "cache-control") || base::iequals(name, "expires") ||
         base::iequals(name, "pragma") || base::iequals(name, "age") ||
         base::iequals(name, "etag") || base::iequals(name, "last-modified") ||
         base::iequals(name, "accept-ranges");
}

// RFC 9110 section 15.4.5: of the fields about the content a 304 repeats Content-Location only.
bool belongs_to_304(std::string_view name) {
  return !is_of_content(name) || base::iequals(name, "content-location");
}

// Fields whose value goes into the entry and is written from there, once.
bool is_taken_over(std::string_view name) {
  return base::iequals(name, "content-type") || base::iequals(name, "etag");
}

void take_over(FileEntry& entry, const Options& options, const FileForm& form) {
  if (const std::string* type = find_header(options, "content-type")) entry.content_type = *type;
  if (const std::string* tag = find_header(options, "etag")) {
    entry.etag = base::trim_ows(*tag);
    // One strong tag cannot name the file and its coded forms (RFC 9110 section 8.8.3.3).
    if (form.negotiated && entry.etag.starts_with('"')) entry.etag.insert(0, "W/");
  }
  if (const std::string* date = find_header(options, "last-modified")) {
    entry.last_modified = base::parse_http_date(base::trim_ows(*date), wall_clock().seconds);
  }
  const std::string* ranges = find_header(options, "accept-ranges");
  entry.takes_ranges = ranges == nullptr || base::has_list_token(*ranges, "bytes");
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

void write_file_fields(FileEntry& entry, const Options& options, const FileForm& form) {
  take_over(entry, options, form);
  std::string& out = entry.fields;
  append_line(out, "Content-Type", entry.content_type);
  entry.type_line = out.size();
  if (!form.coding.empty() && find_header(options, "content-encoding") == nullptr) {
    append_line(out, "Content-Encoding", form.coding);
  }
  if (entry.last_modified && find_header(options, "last-modified") == nullptr) {
    char date[base::kHttpDateSize];
    base::format_http_date(*entry.last_modified, date);
    append_line(out, "Last-Modified", std::string_view(date, sizeof(date)));
  }
  if (!entry.etag.empty()) append_line(out, "ETag", entry.etag);
  if (find_header(options, "accept-ranges") == nullptr) append_line(out, "Accept-Ranges", "bytes");
  append_negotiation_and_caching(out, options, form.negotiated);
  for (const auto& [name, value] : options.headers) {
    if (!is_taken_over(name)) append_line(out, name, value);
  }
  out.shrink_to_fit();

  // No Last-Modified of our own: the ETag says it better.
  std::string& brief = entry.fields_304;
  if (!entry.etag.empty()) append_line(brief, "ETag", entry.etag);
  append_negotiation_and_caching(brief, options, form.negotiated);
  for (const auto& [name, value] : options.headers) {
    if (belongs_to_304(name) && !is_taken_over(name)) append_line(brief, name, value);
  }
  brief.shrink_to_fit();
}

void write_whole_fields(FileEntry& entry, const Options& options, std::string_view coding) {
  if (const std::string* type = find_header(options, "content-type")) entry.content_type = *type;
  append_line(entry.fields, "Content-Type", entry.content_type);
  entry.type_line = entry.fields.size();
  if (!coding.empty() && find_header(options, "content-encoding") == nullptr) {
    append_line(entry.fields, "Content-Encoding", coding);
  }
  for (const auto& [name, value] : options.headers) {
    if (!base::iequals(name, "content-type")) append_line(entry.fields, name, value);
  }
}

void write_page_fields(FileEntry& entry, const Options& options) {
  append_line(entry.fields, "Content-Type", entry.content_type);
  entry.type_line = entry.fields.size();
  entry.fields.append(error_fields(options));
}

void write_listing_fields(FileEntry& entry, const Options& options, std::string_view coding) {
  constexpr std::string_view kVary = "Accept, Accept-Encoding";
  append_line(entry.fields_304, "ETag", entry.etag);
  append_line(entry.fields_304, "Vary", kVary);
  entry.fields_304.append(error_fields(options));
  write_page_fields(entry, options);
  if (!coding.empty()) append_line(entry.fields, "Content-Encoding", coding);
  append_line(entry.fields, "ETag", entry.etag);
  append_line(entry.fields, "Vary", kVary);
}

std::string error_fields(const Options& options) {
  std::string out;
  for (const auto& [name, value] : options.headers) {
    if (!is_of_content(name) && !is_of_file(name)) append_line(out, name, value);
  }
  return out;
}

}  // namespace httpuv::files
