// Static routes as Python gives them, made into the core's table. With the GIL held; what is wrong
// with them is raised as ValueError or TypeError.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "files/routes/route_table.h"

namespace httpuv::python {

// Each route is (url, local_path, exclude, options); `mime` maps extensions to media types.
std::shared_ptr<const files::RouteTable> make_route_table(
    const pybind11::list& routes, std::shared_ptr<const files::MimeTable> mime);

}  // namespace httpuv::python
