"""``httpuv serve DIR`` and ``python -m httpuv DIR``: serve a directory from the shell."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from .. import _core
from ..base import stderr
from ..base.names import closest
from ..options.static_options import DESCRIPTIONS, Description
from ..static_server.run import DEFAULT_PORT, runStaticServer
from .console import FAILED, Mistake, complain, tell_of
from .failures import not_listening
from .options import kinds
from .options.kinds import Kind
from .options.settings import OPTIONS
from .tls import reload_on_hangup, tls_of

# Header fields that pages of other origins may read; PDF.js and readers of Parquet need them.
CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range, ETag"),
)


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name.
        program: That name, for messages.

    Returns:
        The exit status: 0, or 1 if the server could not be started. Wrong arguments exit with 2.
    """
    parser = _parser(program)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_no_option(unknown[0], parser))
    headers = [*options.header, *(CORS if options.cors else ())]
    browse = options.browse
    if browse is None:
        browse = all(map(stderr.leads_to_terminal, (sys.stdin, sys.stdout)))
    # Service managers send SIGTERM; it ends the server as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        tls = tls_of(
            *(options.tls_cert, options.tls_key, options.tls_key_password, options.tls_ca),
            *(options.tls_verify, options.tls_min_version),
        )
        if tls is not None:
            reload_on_hangup(tls)
        runStaticServer(
            options.dir,
            options.host,
            options.port,
            browse=browse,
            allowedHosts=options.allowed_host,
            accessLog=options.access_log,
            mimeTypes=dict(options.mime),
            spa=options.spa,
            auth=options.auth,
            upload=options.upload,
            overwrite=options.overwrite,
            archive=options.zip,
            qr=options.qr,
            headers=headers,
            tls=tls,
            **{
                name: getattr(options, name)
                for name, option in DESCRIPTIONS.items()
                if option.flag is not None
            },
        )
    except OSError as error:
        port = DEFAULT_PORT if options.port is None else options.port
        return tell_of(
            _no_directory(options.dir, program)
            if error.filename == os.path.abspath(options.dir)
            else not_listening(error, options.host, port)
        )
    except (ValueError, Mistake) as error:
        complain(str(error))
        return FAILED
    return 0


def _no_directory(path: str, program: str) -> Mistake:
    if os.path.exists(path):
        return Mistake(f"{path} is no directory: serve the one that it is in")
    hint = ""
    if path.isdigit():  # http.server takes the port as an argument
        hint = f"; the port is --port {path}"
    elif not program.endswith(" serve"):
        hint = "; the commands are run and serve"
    return Mistake(f"{path}: there is no such directory{hint}")


def _no_option(argument: str, parser: argparse.ArgumentParser) -> str:
    """The message for an argument that the command does not take."""
    if not argument.startswith("-"):
        return f"one directory only: {argument} is one too many"
    name = argument.partition("=")[0]
    meant = closest(name, parser._option_string_actions)
    return f"there is no option {name}" + (f"; did you mean {meant}?" if meant else "")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        usage="%(prog)s [DIR] [OPTIONS]",
        description="Serve a directory: ranges, caching, compression, from C++.",
        epilog="'httpuv run' runs an application instead: see 'httpuv run --help'.",
    )
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("dir", nargs="?", default=".", help="the directory (default: this one)")
    parser.add_argument(
        "--host",
        "-b",
        "--bind",
        default="127.0.0.1",
        type=_value_of(kinds.address),
        help="address to listen on; 0.0.0.0 for all of IPv4, :: for all (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        "-p",
        type=int,
        help=f"port to listen on (default: {DEFAULT_PORT}, or a free one where that is taken)",
    )
    parser.add_argument(
        "--browse", action=yes_or_no, help="open a browser (default: in a terminal)"
    )
    parser.add_argument(
        "--access-log",
        action=yes_or_no,
        default=True,
        help="say on standard error what was asked for and answered (default: yes)",
    )
    for name, option in DESCRIPTIONS.items():
        if option.flag is not None:
            _add_option(parser, name, option)
    parser.add_argument(
        "--spa",
        action="store_true",
        help="answer page navigations to no file with index.html; a missing script stays 404",
    )
    parser.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="what clients must give (without TLS, it can be read on the way)",
    )
    parser.add_argument(
        "--upload", action="store_true", help="let clients put files into the directory"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="let uploads replace files (default: no)"
    )
    parser.add_argument(
        "--zip", action="store_true", help="offer folders as ZIP archives, made while they are sent"
    )
    parser.add_argument(
        "--qr",
        action=yes_or_no,
        help="show a QR code of the address (default: in a terminal, for a network address)",
    )
    parser.add_argument(
        "--cors", action="store_true", help="let pages of other origins read the files"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help="add a header field to every answer; may be repeated",
    )
    parser.add_argument(
        "--mime",
        action="append",
        default=[],
        type=_mime,
        metavar="EXTENSION=TYPE",
        help="media type of files by their extension; may be repeated",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        metavar="NAME",
        help="a name that browsers may call this server, '*' for any; may be repeated"
        " (default: those of this machine)",
    )
    _add_tls(parser)
    parser.add_argument("--version", action="version", version=f"httpuv {_core.__version__}")
    return parser


def _add_tls(parser: argparse.ArgumentParser) -> None:
    """Add the TLS options, which are those of ``httpuv run``."""
    for each in OPTIONS:
        if each.name.startswith("tls_") and each.name != "tls_ciphers":
            text = each.help[0].lower() + each.help[1:].removesuffix(".")
            parser.add_argument(
                each.flag,
                default=each.default,
                metavar=each.metavar,
                type=_value_of(each.kind),
                help=text.replace("%", "%%"),
            )


def _value_of(kind: Kind) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _add_option(parser: argparse.ArgumentParser, name: str, option: Description) -> None:
    """Add an option of static paths, as :mod:`httpuv.options.static_options` describes it."""
    assert option.flag is not None
    text = option.text.removeprefix("Extension. ").replace("``", "").removesuffix(".")
    text = text[0].lower() + text[1:].replace("%", "%%")
    if isinstance(option.default, bool):
        yes = "yes" if option.flag_default else "no"
        parser.add_argument(
            option.flag,
            dest=name,
            action=argparse.BooleanOptionalAction,
            default=option.flag_default,
            help=f"{text} (default: {yes})",
        )
    else:
        parser.add_argument(
            option.flag, dest=name, default=option.flag_default, metavar="VALUE", help=text
        )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"not of the form 'NAME: VALUE': {text!r}")
    return name.strip(), value.strip()


def _mime(text: str) -> tuple[str, str]:
    extension, equals, kind = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"not of the form EXTENSION=TYPE: {text!r}")
    return extension, kind
