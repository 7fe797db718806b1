#include "python/server/routes.h"

#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "files/disk/stamp.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

template <class T>
void read(const py::dict& options, const char* name, T& into) {
  if (options.contains(name)) into = options[name].cast<T>();
}

files::Options read_options(const py::dict& given, const std::string& url) {
  files::Options options;
  read(given, "indexhtml", options.indexhtml);
  read(given, "fallthrough", options.fallthrough);
  read(given, "listing", options.listing);
  read(given, "symlinks", options.symlinks);
  read(given, "dotfiles", options.dotfiles);
  read(given, "precompressed", options.precompressed);
  read(given, "gzip", options.gzip);
  read(given, "html_charset", options.html_charset);
  read(given, "headers", options.headers);
  read(given, "index_names", options.index_names);
  read(given, "not_found", options.not_found);
  read(given, "cache_control", options.cache_control);
  read(given, "challenge", options.challenge);
  read(given, "listing_tools", options.listing_tools);
  for (const auto& [name, value] : options.headers) {
    const std::string error = files::header_error(name, value);
    if (!error.empty()) {
      throw py::value_error("staticPaths['" + url + "']: header '" + name + "' " + error);
    }
  }
  if (given.contains("validation") && !given["validation"].is_none()) {
    auto [header, value] = given["validation"].cast<std::pair<std::string, std::string>>();
    options.validation = files::Validation{std::move(header), std::move(value)};
  }
  return options;
}

}  // namespace

std::shared_ptr<const files::RouteTable> make_route_table(
    const py::list& routes, std::shared_ptr<const files::MimeTable> mime) {
  std::vector<files::Route> table;
  for (const py::handle each : routes) {
    const auto [url, local_path, exclude, options] =
        each.cast<std::tuple<std::string, std::string, bool, py::dict>>();
    files::Route route;
    route.url = url;
    route.local_path = local_path;
    route.exclude = exclude;
    if (!exclude) route.options = read_options(options, url);
    table.push_back(std::move(route));
  }
  {
    // A disk that hangs holds up this thread, not the interpreter.
    const GilRelease release;
    for (files::Route& route : table) {
      if (!route.exclude) route.device = files::device_of(route.local_path);
    }
  }
  return std::make_shared<const files::RouteTable>(std::move(table), std::move(mime));
}

}  // namespace httpuv::python
