#include "files/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <tuple>
#include <vector>

#include "base/ascii.h"
#include "base/percent.h"
#include "base/utf8.h"
#include "files/route_table.h"

namespace httpuv::files {
namespace {

// A page of more would be of no use in a browser.
constexpr std::size_t kMaxRows = 20'000;

struct Row {
  std::string name;
  std::string folded;
  bool directory = false;
  std::uint64_t size = 0;
  std::time_t modified = 0;
};

constexpr std::string_view kStyle =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.25rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th{text-align:left;font-weight:600}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid #8884}"
    "td:first-child{overflow-wrap:anywhere}"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "a{text-decoration:none}a:hover{text-decoration:underline}";

// For text and for attribute values in double quotes. What is not UTF-8 or not printable is shown
// as U+FFFD; a link to it works all the same.
std::string escape(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  const bool readable = base::is_utf8(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !readable)) {
      out += kReplacement;
    } else {
      out += c;
    }
  }
  return out;
}

// "512 B", "1.5 KiB", "23 MiB".
std::string human_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1023.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  char text[32];
  const int digits = unit > 0 && value < 9.95 ? 1 : 0;
  std::snprintf(text, sizeof(text), "%.*f %s", digits, value, kUnits[unit]);
  return text;
}

// UTC, in one of the forms of ISO 8601.
std::string format_time(std::time_t time, const char* form) {
  std::tm parts = {};
  if (::gmtime_r(&time, &parts) == nullptr) return "";
  char text[64];
  const std::size_t size = std::strftime(text, sizeof(text), form, &parts);
  return std::string(text, size);
}

// The state of one name, or false when a request for it would find nothing.
bool inspect(int directory, std::string_view rest, const Opener& opener, Row& row) {
  struct stat status;
  if (::fstatat(directory, row.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISLNK(status.st_mode)) {
    const std::string path = rest.empty() ? row.name : std::string(rest) + "/" + row.name;
    const Opened target = opener.open(path);
    if (target.error != 0) return false;
    status = target.status;
  }
  row.directory = S_ISDIR(status.st_mode);
  if (!row.directory && !S_ISREG(status.st_mode)) return false;
  row.size = static_cast<std::uint64_t>(status.st_size);
  row.modified = status.st_mtime;
  return true;
}

// A link to a name from the page of its directory (RFC 3986 section 4.2). A colon would be taken
// for the end of a scheme. What HTML has to escape is encoded too, since programs that read
// listings (fsspec's HTTP file system) take the attribute as it stands.
std::string relative_reference(std::string_view name) {
  std::string out;
  for (const char c : base::percent_encode_path(name)) {
    switch (c) {
      case ':':
        out += "%3A";
        break;
      case '&':
        out += "%26";
        break;
      case '\'':
        out += "%27";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void append_row(std::string& out, const Row& row) {
  const std::string slash = row.directory ? "/" : "";
  out += "<tr><td><a href=\"" + relative_reference(row.name) + slash + "\">" + escape(row.name) +
         slash + "</a></td><td class=\"n\"";
  if (!row.directory) {
    out += " title=\"" + std::to_string(row.size) + " bytes\">" + human_size(row.size);
  } else {
    out += ">";
  }
  out += "</td><td class=\"n\"><time datetime=\"" +
         format_time(row.modified, "%Y-%m-%dT%H:%M:%SZ") + "\">" +
         format_time(row.modified, "%Y-%m-%d %H:%M") + "</time></td></tr>\n";
}

}  // namespace

std::string listing_page(Directory&& directory, const Opener& opener, const Options& options) {
  const int fd = directory.fd.release();
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
  if (stream == nullptr) {
    directory.fd = base::Descriptor(fd);
    return "";
  }
  std::vector<Row> rows;
  bool more = false;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): safe as long as nobody else reads this stream.
  while (const dirent* entry = ::readdir(stream.get())) {
    Row row;
    row.name = entry->d_name;
    const bool hidden = row.name.front() == '.';
    if (row.name == "." || row.name == ".." || (hidden && !options.dotfiles)) continue;
    if (!can_be_named(row.name) || !inspect(fd, directory.rest, opener, row)) continue;
    more = rows.size() == kMaxRows;
    if (more) break;
    row.folded = row.name;
    base::lower_in_place(row.folded.data(), row.folded.size());
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(b.directory, a.folded, a.name) < std::tie(a.directory, b.folded, b.name);
  });

  const std::string title = escape(directory.url);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      title + "</title>\n<style>";
  out.append(kStyle);
  out += "</style></head>\n<body><h1>" + title +
         "</h1>\n<table><thead><tr><th>Name</th><th class=\"n\">Size</th>"
         "<th class=\"n\">Modified (UTC)</th></tr></thead>\n<tbody>\n";
  if (directory.has_parent) {
    out += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  }
  for (const Row& row : rows) append_row(out, row);
  out += "</tbody></table>\n";
  if (rows.empty()) out += "<p>This directory is empty.</p>\n";
  if (more) {
    out += "<p>There is more: only " + std::to_string(kMaxRows) + " names are shown.</p>\n";
  }
  out += "</body></html>\n";
  return out;
}

}  // namespace httpuv::files
