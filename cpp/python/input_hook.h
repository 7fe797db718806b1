// Python's own prompt while it waits for input: PyOS_InputHook, as C.
//
// A hook written in Python would not do: readline calls it between the signal of Ctrl-C and its own
// look at signals, and any Python code that runs there takes the KeyboardInterrupt for itself. So
// this one waits without Python, and begins nothing while a Ctrl-C is to be seen.
//
// With the GIL held. On the main thread; one for the process, as there is one prompt.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// From now on, while the prompt waits for input on `input`: calls run() at once and whenever `fd`
// is readable, or so many seconds after its last call as that has returned (None: not for that
// reason; negative: the prompt has read input already, and is not to wait). A hook that was there
// before, such as tkinter's, is called in between.
void set_input_hook(int input, int fd, pybind11::object run);

// No longer. The hook that was there before is back.
void clear_input_hook();

}  // namespace httpuv::python
