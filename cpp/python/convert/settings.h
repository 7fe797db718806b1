// What httpuv.options.settings.core_settings() makes of a server's options, as the core has it.
#pragma once

#include <pybind11/pybind11.h>

#include "server/server.h"

namespace httpuv::python {

// Every option must be there, and no other: one that the two sides do not both know is a KeyError
// or a TypeError when a server starts, never a silent default. With the GIL held.
server::Settings read_settings(const pybind11::dict& given);

}  // namespace httpuv::python
