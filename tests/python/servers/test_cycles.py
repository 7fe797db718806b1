"""Servers started and stopped again and again: nothing is left, nothing is in the way."""

from programs import run


def test_1000_cycles() -> None:
    run(
        """
        def resources():
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
        for i in range(1000):
            httpuv.startServer("127.0.0.1", 0, hello).stop()
            if i == 10:
                before = resources()
        # A thread that was joined is in /proc for a moment longer.
        until = time.monotonic() + 10
        while resources() != before and time.monotonic() < until:
            time.sleep(0.01)
        assert resources() == before, (before, resources())
        """
    )


def test_100_cycles_under_load() -> None:
    run(
        """
        stop = threading.Event()
        ports = []
        answers = [0]
        def load():
            while not stop.is_set():
                try:
                    answers[0] += get(ports[-1]).endswith(b"hello") if ports else 0
                except OSError:
                    pass
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            with httpuv.startServer("127.0.0.1", 0, hello) as server:
                ports.append(server.getPort())
                before = answers[0]
                until = time.monotonic() + 10
                while answers[0] == before and time.monotonic() < until:
                    httpuv.service(5)
        stop.set()
        for thread in threads:
            thread.join()
        assert answers[0] >= 100, answers
        """
    )


def test_cycles_from_several_threads() -> None:
    run(
        """
        def cycle():
            for _ in range(50):
                httpuv.startServer("127.0.0.1", 0, hello).stop()
        threads = [threading.Thread(target=cycle) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert httpuv.listServers() == []
        """
    )
