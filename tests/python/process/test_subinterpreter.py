"""Where the package cannot work, importing it says so at once."""

from programs import run

CODE = '''
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import sys
other = interpreters.create()
# Not through httpuv: a subinterpreter has none of this one's modules.
program = """import sys
sys.path[:] = %r
try:
    import httpuv
except ImportError as error:
    print(error, flush=True)
"""
interpreters.run_string(other, program % (sys.path,))
'''


def test_import_in_a_subinterpreter() -> None:
    assert run(CODE) == "httpuv works in the main interpreter only\n"
