#include "files/answer/conditions.h"

#include <cstddef>
#include <optional>

#include "base/text/ascii.h"
#include "base/text/http_date.h"

namespace httpuv::files {
namespace {

bool is_weak(std::string_view etag) {
  return etag.starts_with("W/");
}

}  // namespace

bool etag_listed(std::string_view list, std::string_view etag, Comparison comparison) {
  list = base::trim_ows(list);
  if (list == "*") return true;
  const bool strong = comparison == Comparison::kStrong;
  if (is_weak(etag)) {
    if (strong) return false;
    etag.remove_prefix(2);
  }
  while (!list.empty()) {
    const char c = list.front();
    if (c == ',' || c == ' ' || c == '\t') {
      list.remove_prefix(1);
      continue;
    }
    const bool weak = is_weak(list);
    if (weak) list.remove_prefix(2);
    // A tag may contain commas; it ends at its second quote.
    const std::size_t end = list.starts_with('"') ? list.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    if (list.substr(0, end + 1) == etag && !(weak && strong)) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

Verdict check_conditions(const FileEntry& entry, const Query& query) {
  if (!query.if_match.empty()) {
    if (!etag_listed(query.if_match, entry.etag, Comparison::kStrong))
      return Verdict::kPreconditionFailed;
  } else if (!query.if_unmodified_since.empty() && entry.last_modified) {
    const auto date = base::parse_http_date(query.if_unmodified_since, query.now);
    if (date && *entry.last_modified > *date) return Verdict::kPreconditionFailed;
  }
  if (!query.if_none_match.empty()) {
    if (etag_listed(query.if_none_match, entry.etag, Comparison::kWeak))
      return Verdict::kNotModified;
  } else if (!query.if_modified_since.empty() && entry.last_modified) {
    const auto date = base::parse_http_date(query.if_modified_since, query.now);
    if (date && *entry.last_modified <= *date) return Verdict::kNotModified;
  }
  return Verdict::kGo;
}

bool range_applies(const FileEntry& entry, const Query& query) {
  const std::string_view validator = base::trim_ows(query.if_range);
  if (validator.empty()) return true;
  if (validator.starts_with('"')) return validator == entry.etag;
  const std::optional<std::int64_t> date = base::parse_http_date(validator, query.now);
  // A file modified this very second may be modified again in it: such a date is a weak validator
  // (section 8.8.2.2).
  return date && entry.last_modified && *date == *entry.last_modified &&
         query.now > *entry.last_modified;
}

}  // namespace httpuv::files
