// Python's own prompt while it waits for input: PyOS_InputHook, as C.
//
// What: a hook written in Python would not do: readline calls it between the signal of Ctrl-C and
//   its own look at signals, and any Python code that runs there takes the KeyboardInterrupt for
//   itself. So this one waits without Python, and begins nothing while a Ctrl-C is to be seen.
// Thread: the hook runs on the main thread; what is here may be called on any, with the GIL held.
//   One for the process, as there is one prompt.
// Ownership: keeps `run` until it is replaced or cleared.
// Failure: none. Its caller is C, so no C++ exception may leave it: nothing here throws.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// From now on, while the prompt waits for input on `input`: calls run() at once and whenever `fd`
// is readable, or so many seconds after its last call as that has returned (None: not for that
// reason; negative: the prompt has read input already, and is not to wait). Whether another hook
// was there, such as tkinter's: it is not called until clear_input_hook(), because such hooks stay
// in their own loops until there is input.
bool set_input_hook(int input, int fd, pybind11::object run);

// Another package has installed its hook in place of this one, as Qt does when an application
// object is created. set_input_hook() takes the place back, from the prompt's next line on.
bool input_hook_displaced();

// No longer. The hook that was there before is back.
void clear_input_hook();

}  // namespace httpuv::python
