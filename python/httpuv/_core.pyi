"""The C++ extension. Everything here may be called on any thread that holds the GIL."""

from collections.abc import Callable, Iterable
from typing import Any, overload

from .servers.stats import Stats

__version__: str

# URL path (decoded, "/" in front and none behind), local path (absolute, as the system spells it),
# excluded?, options by name, all resolved: see httpuv.options.static.
Route = tuple[str, bytes, bool, dict[str, object]]

# A header field, as text or as bytes.
Pair = tuple[str, str] | tuple[bytes, bytes]

# An answer whose body is at hand: status, header fields, body.
Normal = tuple[int, Iterable[Pair], bytes | File | None]

class HostReader:
    """What an asyncio loop calls when the descriptor of `queue` is readable: it runs callbacks.

    It calls `slow` instead while `wakes` is not what the queue has, or `source` (unless it is None)
    is not the one that this thread has given to adopt(). What a callback raises goes to `failed`,
    unless that is None.
    """

    wakes: int
    def __new__(
        cls,
        queue: Queue,
        loop: object,
        slow: Callable[[], object],
        failed: Callable[[BaseException], object] | None,
        source: object,
    ) -> HostReader: ...
    def __call__(self) -> None: ...

class Queue:
    """Events on their way from I/O threads to the Python threads that run the callbacks.

    So many threads as it is made for are in callbacks at once, never two for one connection.
    """

    def __init__(self, threads: int = 1) -> None: ...
    def run(
        self,
        timeout: float | None,
        max_events: int = 0,
        wakes: int | None = None,
        again: bool = False,
    ) -> int:
        """Run the callbacks that wait: at most `max_events` (0: one batch, all that wait now).

        If there is none to run, wait for one with the GIL released: up to `timeout` seconds, None
        for ever, 0 not at all. `again`: go on like that until the timeout or a wake(). Returns how
        many callbacks ran: early once `wakes` is not what the property of that name has. An
        Exception of a callback goes to its server's on_error; anything else, a signal handler's
        too, is raised here, and what waits stays queued. Any thread may run; callbacks may run the
        queue again.
        """
    def rest(self, timeout: float) -> bool:
        """Wait so many seconds until no thread is in run(); whether none is."""
    def begin_watch(self) -> int:
        """The number of a new watch, for unserved(); it ends the one before."""
    def end_watch(self) -> None: ...
    def unserved(self, seconds: float, watch: int) -> tuple[int, int]:
        """Wait until events have waited for so many seconds with no thread in run().

        The GIL is released. Returns how many wait, and a number that is another one once run() was
        called again. (0, ...) when the watch has ended.
        """
    def refuse(self) -> None:
        """Refuse waiting and later events (503, 1011): no thread will call run() again."""
    def wake(self) -> None:
        """Make every run() return after its current callback, or at once if it waits."""
    @property
    def wakes(self) -> int:
        """How often wake() was called."""
    def post(self, func: Callable[[], object]) -> None:
        """Let run() call a function; these functions run in order and one at a time."""
    def fileno(self, lend: bool = False) -> int:
        """A descriptor that is readable while run(0) has something to do.

        Args:
            lend: The server's network is done in run(0) while nothing else keeps the thread.
        """
    def pending(self) -> int:
        """The number of waiting callbacks."""
    def forget(self) -> None:
        """In a forked child: drop waiting events, and make a run() on the stack return."""

class MetricsBoard:
    """The metrics of all workers of one command, in a file that they share. Raises OSError."""

    def __init__(self, fd: int) -> None: ...
    def stuck(self, first: int, count: int) -> float:
        """Seconds for which the Python of the worker with these places has been stuck."""
    def requests(self, first: int, count: int) -> int:
        """Requests read by the workers that had these places."""
    def leave(self, first: int, count: int) -> None:
        """Free the places of a worker that has ended."""

class AccessRecords:
    """Answers of one turn of an I/O thread, for the access log, until they are logged."""

    def take(
        self,
    ) -> list[tuple[str, int, str, int, int, float, float, str, str, str, str]]:
        """The arguments of httpuv.servers.access.record_of() for each."""
    def skipped(self) -> int:
        """Release the records; return how many were dropped before. Each is counted once."""

def find_openssl(module: str, version: int) -> str:
    """Find the OpenSSL that the module's file is linked with ("": the program). "" or why not."""

class Certificate:
    """A certificate with its key and rules; see httpuv.TLS. Raises OSError and ValueError."""

    def __init__(self, settings: dict[str, object]) -> None: ...
    def reload(self) -> None:
        """Read the files again; on OSError or ValueError the old certificate stays in use."""
    def take_ticket_keys(self, keys: bytes) -> None:
        """Use these keys of session tickets for two hours: 80 bytes each, the newest first.

        Raises ValueError.
        """

class Server:
    """An I/O thread with its listeners, connections, routes and limits."""

    def __init__(
        self,
        queue: Queue,
        *,
        call: Callable[[dict[str, Any]], object] | None,
        on_headers: Callable[[dict[str, Any]], object] | None,
        on_error: Callable[[str, dict[str, Any] | None, BaseException], None],
        convert: Callable[[object, dict[str, Any], Reply], Normal | None],
        environ: dict[str, object],
        settings: dict[str, object],  # httpuv.options.settings.core_settings()
        # Called with socket, request and subprotocol. What it returns is told of events: _open() at
        # once, _message(binary, message) - which may return True to keep the message unread until
        # consumed() -, _pong(payload), _drained(), _taken(), _dropped(), _closing(code, reason),
        # and at last _closed(code, reason, clean).
        # The Reply is there where the handshake waits for its accept() or an answer (ws_waits).
        on_ws_open: Callable[[Socket, dict[str, Any], str, Reply | None], object] | None = None,
        # Called with request and Upload when only the headers have come; what it returns is told of
        # the body: data(bytes) and, at last, end() or lost(). None: a body comes as a whole.
        open_upload: Callable[[dict[str, Any], Upload], object] | None = None,
        call_first: bool = False,  # `call` comes right behind open_upload, not behind end()
        ws_waits: bool = False,
        # Logs answers, on another thread. None: they are not logged.
        access_log: Callable[[AccessRecords], None] | None = None,
        on_notice: Callable[[int, str], object]
        | None = None,  # level (0: debug to 3: error) and text
        allow_connect: bool = False,
        # Applications below paths: dicts with "prefix", "interface" and what that needs.
        mounts: list[dict[str, Any]] = ...,
        # (pattern, messages, bytes, seconds, overflow) of topics
        topics: list[tuple[str, int, int, float, str | None]] = ...,
        brokered: bool = False,  # positions of topics come by load_topic()
    ) -> None: ...
    def listen_tcp(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address and the port that it became. Raises OSError."""
    def listen_fd(self, fd: int) -> tuple[str, int]:
        """Listen on a socket that listens already; adopts the descriptor unless it raises OSError.

        Returns its address and port; port 0: a Unix socket.
        """
    def listen_with(self, other: Server) -> tuple[str, int]:
        """Listen on the sockets of another server, which takes no connection from then on.

        Raises OSError, and the other goes on; ENOTCONN: it does not listen any more.
        """
    def set_program(
        self,
        *,
        call: Callable[[dict[str, Any]], object] | None,
        on_headers: Callable[[dict[str, Any]], object] | None,
        on_ws_open: Callable[[Socket, dict[str, Any], str, Reply | None], object] | None,
        open_upload: Callable[[dict[str, Any], Upload], object] | None,
        call_first: bool,
        ws_waits: bool,
        allow_connect: bool,
        root: list[dict[str, Any]],
    ) -> None:
        """Replace the callbacks from the next request on; return when that has happened.

        `root`: an application of another interface, as in `mounts`; or empty.
        """
    def listen_pipe(self, name: bytes, mask: int | None) -> None:
        """Listen on a Unix socket, created with `mask` as the umask. Raises OSError."""
    def listen_admin_tcp(self, host: str, port: int) -> tuple[str, int]:
        """Before the server starts: also listen for its operator. Raises OSError."""
    def listen_admin_fd(self, fd: int) -> None:
        """The same on a socket that listens already; adopts the descriptor."""
    def listen_admin_pipe(self, name: bytes) -> None:
        """The same on a Unix socket."""
    def set_routes(self, routes: list[Route], mime: MimeTable) -> None:
        """Replace the static paths; returns when they are in use."""
    def publish(
        self,
        topic: str,
        message: str | bytes | bytearray | memoryview,
        compress: bool = True,
        binary: bool | None = None,
        event: str = "",
        offset: int | None = None,
    ) -> int:
        """Send a message to all subscribers of the topic; return its offset.

        With an offset it is a broker's; 0: outside of the topic's history.
        """
    def topic_stats(self, topic: str) -> dict[str, Any] | None:
        """The numbers of a topic; None: it is not known. Waits for the I/O thread."""
    def load_topic(
        self,
        topic: str,
        epoch: str,
        offset: int,
        messages: list[tuple[int, str | bytes, bool, str]],
    ) -> None:
        """Set a topic's position from a broker, and its last (offset, data, binary, event)."""
    def topic_needs(self) -> tuple[list[str], list[str], list[str]]:
        """Topics that wait for load_topic(), those that wait for it again, and unused ones."""
    def set_broker(self, *, away: bool, ready: bool, dropped: int, renewed: int) -> None:
        """How the broker is doing, for health and metrics; the numbers are what has come since."""
    def release_topic(self, topic: str) -> bool:
        """Forget a topic; False: it has subscribers."""
    def stop(self, timeout: float = 0.0) -> None:
        """End the server; answers under way have `timeout` seconds. Idempotent.

        Signal handlers run meanwhile. If one raises, answers are cut off, and it is raised here.
        """
    def begin_stop(self, timeout: float) -> None:
        """Tell the server to end within `timeout` seconds; return at once."""
    @property
    def stopped(self) -> bool:
        """Whether the server has ended, or has not started."""
    def forget(self) -> None:
        """In a forked child: close the inherited descriptors, and nothing more."""
    def metrics(self) -> dict[str, list[tuple[dict[str, str], int | float]]]:
        """Labels and numbers of each metric, by name."""
    def stats(self) -> Stats:
        """Counters by name."""
    @property
    def running(self) -> bool: ...

class Reply:
    """The handle for a later answer. It does nothing once the answer is complete or abandoned."""

    # Called on a thread that runs the queue.
    on_taken: Callable[[int], object] | None  # the kernel has taken so many bytes of the body
    on_abandoned: Callable[[], object] | None  # the client has gone
    def send(self, normal: Normal) -> None:
        """Answer with a complete body."""
    def send_plain(self, result: object, ring: bool = True) -> bool:
        """The same with the result of `call`; return False if the result is no plain dict.

        Without `ring`, ring() is to follow soon.
        """
    def start(
        self,
        status: int,
        headers: Iterable[Pair],
        length: int | None,
        filler: tuple[float, bytes] | None = None,
    ) -> None:
        """Begin an answer with a body in pieces; length None: chunked.

        `filler`: after so many seconds without a piece, the I/O thread sends these bytes.
        """
    def write(self, data: str | bytes, acknowledge: bool = False, ring: bool = True) -> None:
        """Send the next piece; on_taken is called if `acknowledge`.

        Without `ring`, ring() is to follow soon.
        """
    def ring(self) -> None:
        """Wake the I/O thread, so that it sends the written pieces."""
    def gather(self, func: Callable[[], object]) -> None:
        """Call a function; its pieces are sent together, or within a few milliseconds."""
    def feed(
        self, topics: list[str], last_event_id: str, history: bool, retry: float | None
    ) -> None:
        """Let the I/O thread send events of topics from now on, until end()."""
    def write_file(self, file: FilePart) -> None:
        """Send the next piece from a file; only in a stream that was begun as it is."""
    def wait_for_room(self) -> bool:
        """Wait, with the GIL released, until the kernel has all so far; False: it is over."""
    def inform(self, status: int, headers: Iterable[Pair]) -> None:
        """Send an informational answer, such as 103, before the one that counts."""
    def accept(self, protocol: str | None, headers: Iterable[Pair]) -> None:
        """Accept the WebSocket handshake."""
    def end(self, trailers: Iterable[Pair] | None = None) -> None:
        """The body is complete; trailers are sent where it is chunked."""
    def cut(self) -> None:
        """Give up: 500 if nothing was sent, else the connection is cut."""
    def call_soon(self, func: Callable[[], object]) -> None:
        """Call a function on a thread that runs callbacks, in order with those of the exchange."""
    @property
    def done(self) -> bool: ...

class Joining:
    """A subscription on its way."""

    def get(self, timeout: float) -> tuple[str, int, bool] | None:
        """Epoch, offset, recovered; None: the socket is closed. Waits with the GIL released.

        TimeoutError after `timeout` seconds.
        """

class BodyPipe:
    """What is still to come of a body, for a thread that waits for it."""

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer with what has come, as soon as there is some; 0 at the end.

        Raises:
            ConnectionResetError: The rest cannot come.
        """

class Upload:
    """The rest of a body. It does nothing once the request is answered or abandoned."""

    def resume(self) -> None:
        """Begin to read it. Before this call not even 100 (Continue) is sent."""
    def consumed(self, bytes: int) -> None:
        """Report so many bytes as used, so that more may be read."""

class Socket:
    """A WebSocket. Does nothing once it is closed."""

    def send(
        self, message: str | bytes | bytearray | memoryview, compress: bool = True
    ) -> None: ...
    def ping(self, payload: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def subscribe(
        self, topic: str, since: tuple[str, int] | None = None, history: bool = False
    ) -> Joining: ...
    def unsubscribe(self, topic: str) -> None: ...
    def subscriptions(self) -> list[str]: ...
    def buffered(self) -> int:
        """Bytes that the kernel has not taken; waits for the I/O thread, with the GIL released."""
    def call_soon(self, func: Callable[[], object]) -> None:
        """Call a function on a thread that runs callbacks, in order with those of the socket."""
    def consumed(self, messages: int) -> None:
        """Report so many of the kept messages as used, so that more may be read."""
    def outstanding(self) -> int:
        """Bytes of sent messages without an acknowledgement of the kernel."""
    def acknowledge(self) -> None:
        """Call the listener's _taken() when the kernel has taken them."""

class File:
    """A regular file that answers the request of `environ`; adopts the descriptor.

    Range, conditions and HEAD are applied; the extension of `name` names the type. OSError where
    the file cannot be read.
    """

    def __init__(self, fd: int, name: str, mime: MimeTable, environ: dict[str, Any]) -> None: ...

class MimeTable:
    """Media types by file extension, see httpuv.options.mime."""

    def __init__(self, types: dict[str, str]) -> None: ...

class FilePart:
    """A part of a file that is sent as it is; adopts the descriptor."""

    def __init__(self, fd: int, offset: int, length: int) -> None: ...

class Done:
    """A coroutine that is already done: receive() and send() return it if they need not wait."""

    def send(self, value: object, /) -> Any: ...
    def throw(self, kind: Any, value: object = None, trace: object = None, /) -> Any: ...
    def close(self) -> None: ...

class StartResponse:
    """start_response() of one WSGI request, and the write() that it returns."""

    @overload
    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> StartResponse: ...
    @overload
    def __call__(self, data: bytes, /) -> None: ...
    def early_hints(self, headers: Iterable[Pair], /) -> None: ...

class Exchange:
    """One HTTP exchange of an ASGI application; httpuv.gateways.asgi.exchange has the rest."""

    def receive(self) -> Any: ...
    def send(self, message: dict[str, Any], /) -> Any: ...
    def stash(self, message: dict[str, Any], /) -> None:
        """Check and keep status and headers of a message."""
    def amend(self, status: int, headers: Iterable[Pair], /) -> None:
        """Change the status of the stashed head, add fields."""
    def field(self, name: str, /) -> str:
        """A field of the stashed head; "" without one."""
    def open(self) -> Reply:
        """A Reply, which is notified of events from now on."""
    def begin(self, as_is: bool, /) -> int | None:
        """Send the stashed head; a body in pieces follows. Returns its length, if that is known."""
    def begin_events(self, seconds: float, filler: bytes, /) -> None:
        """Send the stashed head; topics make the body. The filler is sent after such a silence."""
    def respond(self, body: bytes | FilePart, /) -> None:
        """Answer with the stashed head and a body."""
    def finish(self) -> None:
        """The exchange is over."""
    @property
    def state(self) -> int:
        """0: new, 1: head stashed, 2: streaming, 3: done."""
    @property
    def status(self) -> int: ...
    @property
    def events_of(self) -> str:
        """Which stream of events is to feed the stashed answer; "": none."""
    @property
    def scope(self) -> dict[str, Any]: ...
    @property
    def upload(self) -> Any:
        """The Upload, or Input, of a body that is not here as a whole; None otherwise."""

class AsyncCall:
    """A callback that is a coroutine function: each call begins its coroutine at once.

    Returns what the coroutine returned, its task if it waits, or the coroutine itself where no
    asyncio loop runs on this thread. `disconnected`: what "httpuv.disconnected" of a request is.
    """

    def __new__(cls, function: Callable[[Any], Any], disconnected: type, /) -> AsyncCall: ...
    def __call__(self, request: dict[str, Any], /) -> Any: ...

def begin_coroutine(coroutine: Any, loop: Any) -> Any:
    """Begin a coroutine in the loop that runs here: its result, or its task if it waits."""

def adopt(source: object) -> None:
    """Note the dispatcher of this thread; the caller keeps a reference."""

def client_gone() -> bool:
    """Whether the client of the request that is being answered on this thread has gone.

    Asks the I/O thread, with the GIL released. Raises RuntimeError where none is being answered.
    """

def set_input_hook(input: int, fd: int, run: Callable[[], float | None]) -> bool:
    """While Python's prompt waits for input, call a function at once and whenever `fd` is readable.

    Returns whether another hook was there, which does not run any more.
    And when so many seconds have passed as it has returned; negative: the prompt has read input
    that it has not used. Only on the main thread.
    """

def input_hook_displaced() -> bool:
    """Whether another package has replaced the hook of set_input_hook()."""

def clear_input_hook() -> None:
    """Remove the hook of set_input_hook()."""

def relay_signals(signals: list[int], fd: int, second_exits: bool) -> None:
    """Write the number of each such signal to `fd` as one byte, at once, on no thread of Python.

    `fd` is nonblocking. `second_exits`: the second one ends the process, status 128 + number.
    Raises OSError.
    """

def register_headers(cls: type) -> None:
    """Name the class of HEADERS, one derived from dict; its constructor is not called."""

def register_input(cls: type) -> None:
    """Name the class of rook.input: called with (), (bytes) or (fd, length)."""

def static_header_error(name: str, value: bytes) -> str:
    """The reason why this cannot be a header of a static path, or ""."""

def error_page(status: int, phrase: str) -> str:
    """The error page for browsers."""

def to_bytes(value: object, what: str) -> bytes:
    """Copy what has the buffer protocol; TypeError, which names it `what`, for anything else.

    And for buffers of references to objects.
    """
