// The page that shows a directory: directories first, then files, by name.
//
// Pool threads (blocking): reads the directory and asks for the state of everything in it.
#pragma once

#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "files/opener.h"
#include "files/options.h"

namespace httpuv::files {

struct Directory {
  base::Descriptor fd;
  std::string_view url;   // decoded, "/a/b/"
  std::string_view rest;  // where it lies below the root of `opener`
  bool has_parent = false;
};

// HTML, complete, without scripts. Shows what a request would get: no hidden names, no special
// files, no link that leads out of the root (unless the options let it). "" with errno on failure.
std::string listing_page(Directory&& directory, const Opener& opener, const Options& options);

}  // namespace httpuv::files
