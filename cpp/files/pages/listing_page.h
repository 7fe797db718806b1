// The page that shows a directory to people.
//
// Pure; any thread. Complete without its script, which filters, sorts without asking the server and
// shows times of the reader's zone.
#pragma once

#include <string>
#include <string_view>

#include "files/pages/listing_view.h"
#include "files/routes/mime.h"

namespace httpuv::files {

struct PagePath {
  std::string_view url;    // decoded, "/a/b/"
  std::string_view route;  // its leading part that is the route's own, without a slash at its end
};

// `tools`: Options::listing_tools.
std::string listing_page(const PagePath& path, const Rows& rows, const MimeTable& mime,
                         const ListingView& view, std::string_view tools);

}  // namespace httpuv::files
