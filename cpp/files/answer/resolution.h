// The result of resolving a static path. Made for the loop thread, and shared there by all requests
// for the path in the same turn; copying it is cheap.
#pragma once

#include <memory>
#include <string>

#include "files/disk/entry.h"
#include "files/routes/route_table.h"

namespace httpuv::files {

enum class ResolutionKind {
  kFile,         // entry
  kListing,      // entry: the page, in memory
  kRedirect,     // 301 to `location`: a directory whose slash is missing
  kNotFound,     // 404; entry: the route's own page, or null
  kForbidden,    // 403: the system does not let us read it
  kFallthrough,  // not found, and the application's to answer
  kError,        // errno in `error`: 503 when we are out of descriptors or memory, 500 otherwise
};

struct Resolution {
  ResolutionKind kind = ResolutionKind::kNotFound;
  int error = 0;
  const Route* route = nullptr;
  std::shared_ptr<const RouteTable> table;  // keeps the route
  std::shared_ptr<const FileEntry> entry;
  std::shared_ptr<const std::string> location;  // absolute path, percent-encoded, never "//..."
};

}  // namespace httpuv::files
