"""Coroutines that begin before their task has a turn: nothing of it shows."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from httpuv.dispatch import eager

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


def begin(coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, bool]:
    """Run a coroutine; return its result, and whether it had it at once."""

    async def main() -> tuple[Any, bool]:
        result = eager.run(coroutine(), asyncio.get_running_loop())
        waits = isinstance(result, asyncio.Task)
        if waits:
            result = await result
        await asyncio.sleep(0)  # what is left of a task that had nothing to do
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result, not waits

    return asyncio.run(main())


def test_what_never_waits_is_there_at_once() -> None:
    async def coroutine() -> int:
        return 5

    assert begin(coroutine) == (5, True)


def test_what_it_raises_at_once() -> None:
    async def coroutine() -> None:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        begin(coroutine)


def test_what_waits_goes_on_in_a_task() -> None:
    async def coroutine() -> list[int]:
        seen = [1]
        await asyncio.sleep(0)
        seen.append(2)
        await asyncio.sleep(0.001)
        seen.append(await asyncio.wait_for(asyncio.sleep(0.001, 3), 10))
        async with asyncio.Lock():
            return [*seen, await asyncio.to_thread(int, 4)]

    assert begin(coroutine) == ([1, 2, 3, 4], False)


def test_what_it_raises_later() -> None:
    async def coroutine() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        begin(coroutine)


def test_it_is_one_task_from_the_start() -> None:
    async def coroutine() -> bool:
        tasks = [asyncio.current_task()]
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0.001)
        tasks.append(asyncio.current_task())
        return tasks[0] is not None and len(set(tasks)) == 1

    assert begin(coroutine) == (True, False)


def test_whoever_begins_it_stays_the_current_task() -> None:
    async def main() -> None:
        async def coroutine() -> object:
            return asyncio.current_task()

        me = asyncio.current_task()
        assert eager.run(coroutine(), asyncio.get_running_loop()) is not me
        assert asyncio.current_task() is me

    asyncio.run(main())


def test_its_context_is_its_own() -> None:
    async def coroutine() -> list[str]:
        seen = [variable.get()]
        variable.set("inside")
        await asyncio.sleep(0)
        seen.append(variable.get())
        await asyncio.sleep(0.001)
        seen.append(variable.get())
        return seen

    assert begin(coroutine) == (["outside", "inside", "inside"], False)
    assert variable.get() == "outside"


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("inner", ["sleep", "bare", "task"])
def test_cancelled(inner: str, turns: int) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def waiting(name: str) -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                ended.append(name)
                raise

        async def coroutine() -> None:
            try:
                if inner == "bare":
                    while True:
                        await asyncio.sleep(0)
                elif inner == "task":
                    await asyncio.ensure_future(waiting("inner"))
                else:
                    await asyncio.sleep(10)
            finally:
                ended.append("outer")

        task = eager.run(coroutine(), asyncio.get_running_loop())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "outer" in ended
        if inner == "task" and turns:
            assert ended == ["inner", "outer"]

    asyncio.run(main())


def test_cancelling_itself_at_once() -> None:
    async def coroutine() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        begin(coroutine)


def test_a_timeout_that_begins_at_once() -> None:
    async def coroutine() -> str:
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.01)
        except asyncio.TimeoutError:
            return "timed out"
        return "not"

    assert begin(coroutine) == ("timed out", False)


@pytest.mark.skipif(not hasattr(asyncio, "timeout"), reason="asyncio.timeout() came with 3.11")
def test_timeouts_and_groups_know_their_task() -> None:
    async def coroutine() -> str:
        try:
            async with asyncio.timeout(0.01):
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(10))
        except TimeoutError:
            return "timed out"
        return "not"

    assert begin(coroutine) == ("timed out", False)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio begins them itself")
def test_a_task_in_reserve_is_used_until_it_has_a_trace() -> None:
    seen: list[asyncio.Task[Any]] = []
    called: list[object] = []
    references: list[weakref.ref[Any]] = []
    ids: list[int] = []

    def task() -> asyncio.Task[Any]:
        current = asyncio.current_task()
        assert current is not None
        return current

    async def nothing() -> None:
        ids.append(id(task()))

    async def keeps() -> None:
        seen.append(task())

    async def refers() -> None:
        seen.append(weakref.proxy(task()))

    async def refers_without_callback() -> None:
        references.append(weakref.ref(task()))

    async def marks() -> None:
        task().mark = 1  # type: ignore[attr-defined]

    async def names() -> None:
        task().set_name("named")

    async def cancels() -> None:
        task().cancel()

    async def calls_back() -> None:
        task().add_done_callback(called.append)

    async def fails() -> None:
        raise ValueError("on purpose")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        traces = (keeps, refers, refers_without_callback, marks, names, cancels, calls_back)
        for trace in traces:
            await asyncio.sleep(0)
            ids.clear()
            for _ in range(3):
                eager.run(nothing(), loop)
                with pytest.raises(ValueError, match="on purpose"):
                    eager.run(fails(), loop)
                await asyncio.sleep(0)
            assert len(set(ids)) == 1, trace  # the collector, which finds it, is off
            eager.run(trace(), loop)
            before = ids[-1]
            eager.run(nothing(), loop)
            assert ids[-1] != before, trace
            for _ in range(3):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        assert seen[0].done()
        assert len(called) == 1

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_its_task_shows_its_name_and_stack() -> None:
    async def named() -> None:
        await asyncio.sleep(0.001)

    async def main() -> None:
        task = eager.run(named(), asyncio.get_running_loop())
        assert "named" in repr(task)
        await asyncio.sleep(0)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["named"]
        await task

    asyncio.run(main())


def test_scopes_of_anyio_know_their_task() -> None:
    anyio = pytest.importorskip("anyio")

    async def coroutine() -> tuple[bool, list[int]]:
        done: list[int] = []

        async def work(number: int) -> None:
            await anyio.sleep(0.001 * number)
            done.append(number)

        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep(10)
        async with anyio.create_task_group() as group:
            group.start_soon(work, 1)
            group.start_soon(work, 2)
        return scope.cancel_called, sorted(done)

    assert begin(coroutine) == ((True, [1, 2]), False)


def test_an_async_generator_is_closed_by_its_task() -> None:
    closed: list[object] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(10)
        finally:
            closed.append(asyncio.current_task())

    async def coroutine() -> bool:
        async for _ in numbers():
            break
        await asyncio.sleep(0.001)
        generator = numbers()
        await generator.__anext__()
        await generator.aclose()  # type: ignore[attr-defined]
        return closed[-1] is asyncio.current_task()

    assert begin(coroutine) == (True, False)


def test_a_loop_that_is_over_is_free() -> None:
    async def nothing() -> None:
        pass

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.get_running_loop()
        eager.run(nothing(), loop)
        await asyncio.sleep(0)
        return weakref.ref(loop)

    loop = asyncio.run(main())
    gc.collect()
    assert loop() is None
