// The preconditions of a request for a file (RFC 9110 section 13), in the order of its section
// 13.2.2.
//
// Pure; any thread. A date that cannot be parsed is ignored; a tag that cannot be parsed matches
// nothing.
#pragma once

#include <string_view>

#include "files/answer/respond.h"
#include "files/disk/entry.h"

namespace httpuv::files {

enum class Verdict {
  kGo,
  kNotModified,         // 304
  kPreconditionFailed,  // 412
};

Verdict check_conditions(const FileEntry& entry, const Query& query);

// Whether If-Range, if it is there, lets the Range field count (section 13.1.5): a strong match
// only.
bool range_applies(const FileEntry& entry, const Query& query);

enum class Comparison { kStrong, kWeak };

// Whether a list of entity tags, or "*", contains `etag` (section 8.8.3.2). Weak: W/"x" matches
// "x". Strong: a weak tag matches nothing.
bool etag_listed(std::string_view list, std::string_view etag, Comparison comparison);

}  // namespace httpuv::files
