#include "files/pages/listing_page.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/encode/percent.h"
#include "base/text/html.h"
#include "files/pages/listing_assets.h"

namespace httpuv::files {
namespace {

// "512 B", "1.5 KB", "23 MB": powers of 1000, as file managers count.
std::string human_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  char text[32];
  const int digits = unit > 0 && value < 9.95 ? 1 : 0;
  std::snprintf(text, sizeof(text), "%.*f %s", digits, value, kUnits[unit]);
  return text;
}

std::string counted(std::size_t number, const char* one, const char* many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

// The class that picks the icon; "" for the plain one.
std::string_view icon_of(const Row& row, const MimeTable& mime) {
  if (row.directory) return "d";
  const std::string_view type = mime.type_for(row.name);
  const auto has = [type](std::string_view part) { return type.find(part) != type.npos; };
  if (type.starts_with("image/")) return "i";
  if (type.starts_with("video/")) return "v";
  if (type.starts_with("audio/")) return "a";
  if (has("zip") || has("compressed") || has("x-tar") || has("zstd") || has("x-xz") ||
      has("brotli")) {
    return "z";
  }
  if (has("csv") || has("parquet") || has("arrow") || has("spreadsheet") || has("sqlite") ||
      has("tab-separated")) {
    return "b";
  }
  if (has("html") || has("script") || has("json") || has("xml") || has("css") || has("x-python") ||
      has("yaml") || has("toml") || has("x-sh") || has("wasm")) {
    return "c";
  }
  if (type.starts_with("text/") || has("pdf") || has("word") || has("opendocument")) return "t";
  return "";
}

void append_row(std::string& out, const Row& row, const MimeTable& mime) {
  const std::string_view icon = icon_of(row, mime);
  const char* const slash = row.directory ? "/" : "";
  out.append("<tr><td><a");
  if (!icon.empty()) out.append(" class=").append(icon);
  out.append(" href=\"").append(relative_reference(row.name)).append(slash).append("\">");
  out.append(base::escape_html(row.name)).append(slash).append("</a><td");
  if (!row.directory) {
    out.append(" data-b=")
        .append(std::to_string(row.size))
        .append(">")
        .append(human_size(row.size));
  } else {
    out.append(">");
  }
  const std::string time = iso_time(row.modified.seconds);
  std::string shown = time.substr(0, 16);
  std::replace(shown.begin(), shown.end(), 'T', ' ');
  out.append("<td><time datetime=").append(time).append(">").append(shown).append("</time>\n");
}

// A path for an attribute without quotes. Programs that read listings by the quoted links in them
// (fsspec) do not take the way back for an entry.
std::string unquoted(std::string_view path) {
  std::string out;
  for (const char c : base::percent_encode_path(path)) {
    switch (c) {
      case '&':
        out += "%26";
        break;
      case '\'':
        out += "%27";
        break;
      case '=':
        out += "%3D";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The way to the directory, each part of it a link.
void append_path(std::string& out, const PagePath& path) {
  const std::string_view root = path.route;
  std::string_view below = path.url.substr(std::min(root.size() + 1, path.url.size()));
  std::string link = unquoted(root) + "/";
  const std::string_view root_name = root.substr(root.rfind('/') + 1);
  const auto append_part = [&](std::string_view text, bool last) {
    if (last) {
      out.append("<span aria-current=page>").append(text).append("</span>");
    } else {
      out.append("<a href=").append(link).append(">").append(text).append("</a>");
    }
  };
  const std::string home = "<span class=home role=img aria-label=Home></span>";
  append_part(root.empty() ? home : home + " " + base::escape_html(root_name), below.empty());
  while (!below.empty()) {
    const std::string_view part = below.substr(0, below.find('/'));
    below.remove_prefix(std::min(part.size() + 1, below.size()));
    link.append(unquoted(part)).append("/");
    out.append("<i>/</i>");
    append_part(base::escape_html(part), below.empty());
  }
}

// A column's title. Its button asks for the page in that order: first the useful way round, then
// the other.
void append_column(std::string& out, const ListingView& view, RowOrder order, std::string_view key,
                   std::string_view title) {
  const bool current = view.order == order;
  const bool descends = current ? !view.descending : order != RowOrder::kName;
  out.append("<th scope=col");
  if (current) out.append(view.descending ? " aria-sort=descending" : " aria-sort=ascending");
  out.append("><button name=sort value=").append(descends ? "-" : "").append(key).append(">");
  out.append(title).append("</button>");
}

void append_tools(std::string& out, std::string_view tools, std::string_view url) {
  constexpr std::string_view kPath = "{path}";
  if (tools.empty()) return;
  const std::string link = base::escape_html(base::percent_encode_path(url));
  out.append("<div class=tools>");
  for (std::size_t at = tools.find(kPath); at != tools.npos; at = tools.find(kPath)) {
    out.append(tools.substr(0, at)).append(link);
    tools.remove_prefix(at + kPath.size());
  }
  out.append(tools).append("</div>\n");
}

std::string summary(const Rows& rows) {
  std::size_t directories = 0;
  std::uint64_t bytes = 0;
  for (const Row& row : rows.rows) {
    directories += row.directory ? 1 : 0;
    bytes += row.directory ? 0 : row.size;
  }
  const std::size_t files = rows.rows.size() - directories;
  std::string text;
  if (directories > 0) text = counted(directories, "folder", "folders");
  if (files > 0) {
    text += (text.empty() ? "" : ", ") + counted(files, "file", "files") + " \xC2\xB7 " +
            human_size(bytes);
  }
  return text;
}

}  // namespace

std::string listing_page(const PagePath& path, const Rows& rows, const MimeTable& mime,
                         const ListingView& view, std::string_view tools) {
  std::string out;
  out.reserve(16 * 1024 + rows.rows.size() * 192);
  out.append(
      "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>");
  out.append(base::escape_html(path.url)).append("</title>\n<style>").append(kBaseStyle);
  out.append(kListingStyle).append(kListingIcons).append("</style>\n<header><h1>");
  append_path(out, path);
  out.append(
      "</h1>\n<input id=q type=search placeholder=Filter aria-label=\"Filter by name\" "
      "autocomplete=off spellcheck=false hidden>\n</header>\n<main>\n");
  out.append("<p class=sum>").append(summary(rows)).append("</p>\n");
  append_tools(out, tools, path.url);
  out.append("<form><table><thead><tr>");
  append_column(out, view, RowOrder::kName, "name", "Name");
  append_column(out, view, RowOrder::kSize, "size", "Size");
  append_column(out, view, RowOrder::kTime, "time", "Modified<span class=utc> (UTC)</span>");
  out.append("</thead>\n<tbody>\n");
  const bool has_parent = path.url.size() > path.route.size() + 1;
  if (has_parent) out.append("<tr class=up><td><a class=u href=\"../\">..</a><td><td>\n");
  for (const Row& row : rows.rows) append_row(out, row, mime);
  out.append("</tbody></table></form>\n");
  if (rows.rows.empty()) out.append("<p class=none>This folder is empty.</p>\n");
  out.append("<p class=none id=nothing hidden>No name matches.</p>\n");
  if (rows.more) {
    out.append("<p class=none>There is more: only ").append(std::to_string(kMaxRows));
    out.append(" names are shown.</p>\n");
  }
  out.append("</main>\n<script>").append(kListingScript).append("</script>\n</html>\n");
  return out;
}

}  // namespace httpuv::files
