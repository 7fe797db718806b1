// Tells a thread of signals at once, whatever the main thread does.
//
// What: Python runs signal handlers on the main thread, between two of its instructions. A call of
//   C that goes on for long delays them, and so does a system call that began just after Python had
//   looked for signals. The handler here is C: it writes the signal's number to a descriptor.
// Thread: relay_signals() on any, with the GIL held. The handler runs on any, without it.
//   One for the process, as signals have one handler.
// Owner: of nothing: the descriptor stays the caller's, and must stay open.
// Failure: relay_signals() throws std::system_error. The handler has none: what does not fit into
//   the descriptor is dropped, and many signals wait in it then.
#pragma once

#include <vector>

namespace httpuv::python {

// From now on each of these signals is written to `fd` (nonblocking) as one byte, and interrupts no
// system call. `second_exits`: the second one ends the process with the status 128 + its number.
// A child that was forked from this process has the default actions, since `fd` is its parent's.
void relay_signals(const std::vector<int>& signals, int fd, bool second_exits);

}  // namespace httpuv::python
