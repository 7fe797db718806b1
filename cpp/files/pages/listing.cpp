#include "files/pages/listing.h"

#include <utility>

#include "base/text/utf8.h"
#include "files/pages/listing_page.h"

namespace httpuv::files {
namespace {

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  const bool readable = base::is_utf8(text);
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else if (byte >= 0x80 && !readable) {
      out.append(kReplacement);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// {"path": "/a/", "truncated": false, "entries": [{"name": "x", "href": "x", "type": "file", ...}]}
std::string listing_json(std::string_view url, const Rows& rows) {
  std::string out = "{\"path\":";
  append_json_string(out, url);
  out.append(",\"truncated\":").append(rows.more ? "true" : "false").append(",\"entries\":[");
  const char* separator = "\n";
  for (const Row& row : rows.rows) {
    out.append(std::exchange(separator, ",\n")).append("{\"name\":");
    append_json_string(out, row.name);
    out.append(",\"href\":\"").append(relative_reference(row.name));
    out.append(row.directory ? "/\",\"type\":\"directory\"" : "\",\"type\":\"file\",\"size\":");
    if (!row.directory) out.append(std::to_string(row.size));
    out.append(",\"modified\":\"").append(iso_time(row.modified.seconds)).append("\"}");
  }
  return out.append("\n]}\n");
}

}  // namespace

Listing make_listing(Directory&& directory, const Opener& opener, const Options& options,
                     const MimeTable& mime, const ListingView& view) {
  Listing listing;
  Rows rows = read_directory(std::move(directory.fd), directory.rest, opener, options);
  listing.error = rows.error;
  if (listing.error != 0) return listing;
  sort_rows(rows.rows, view.order, view.descending);
  if (view.json) {
    listing.body = listing_json(directory.url, rows);
    listing.content_type = "application/json";
  } else {
    listing.body =
        listing_page({directory.url, directory.route}, rows, mime, view, options.listing_tools);
    listing.content_type = "text/html; charset=utf-8";
  }
  return listing;
}

}  // namespace httpuv::files
