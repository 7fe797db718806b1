// The style and the script of the page that lists a directory, and of error pages. Constants.
#pragma once

#include <string_view>

namespace httpuv::files {

extern const std::string_view kBaseStyle;     // colours, for both kinds of pages
extern const std::string_view kListingStyle;  // without icons
extern const std::string_view kListingIcons;  // further style: inline SVG for each kind of entry
extern const std::string_view
    kListingScript;  // filter, sorting, local times; the page works without

}  // namespace httpuv::files
