// The listing of a directory without an index: a page for people, JSON for programs.
//
// Pool threads: blocks.
#pragma once

#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "files/disk/opener.h"
#include "files/pages/listing_view.h"
#include "files/routes/mime.h"
#include "files/routes/options.h"

namespace httpuv::files {

struct Directory {
  base::Descriptor fd;
  std::string_view url;    // decoded, "/a/b/"
  std::string_view route;  // its leading part that is the route's own, without a slash at its end
  std::string_view rest;   // where it lies below the root of the opener
};

struct Listing {
  int error = 0;  // errno; then there is no body
  std::string body;
  std::string_view content_type;
};

Listing make_listing(Directory&& directory, const Opener& opener, const Options& options,
                     const MimeTable& mime, const ListingView& view);

}  // namespace httpuv::files
