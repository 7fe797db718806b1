// The gateways of a server's mounts, made from what Python says of them.
//
// With the GIL held. Failure: what is wrong with a mount is raised as ValueError or TypeError.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <vector>

#include "python/application/gateway.h"
#include "server/server.h"

namespace httpuv::python {

// An application below a path, as Python describes it: a dict with "prefix", "interface" and what
// that needs.
struct MountedGateway {
  server::Mount mount;
  std::shared_ptr<Gateway> gateway;
};

// Longest prefix first. Raises ValueError and TypeError for wrong mounts.
std::vector<MountedGateway> make_gateways(const pybind11::list& mounts);

std::shared_ptr<Gateway> make_wsgi(const pybind11::dict& options);
std::shared_ptr<Gateway> make_asgi(const pybind11::dict& options);
std::shared_ptr<Gateway> make_rook(const pybind11::dict& options);

// Adds the types that gateways give to applications to the module.
void register_gateways(pybind11::module_& module);

}  // namespace httpuv::python
