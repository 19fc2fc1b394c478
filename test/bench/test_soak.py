from espnet2_valle.bench import soak


class FakeService:
    """A service with so many open files by turns, and one more just after it was asked for figures."""

    def __init__(self, files):
        self.counts = iter(files)
        self.asked = False

    def figures(self):
        self.asked = True
        return {"valle_active_requests": 0.0}

    def files(self):
        return next(self.counts) + self.asked


def settled(monkeypatch, files, seconds=5.0):
    service = FakeService(files)
    monkeypatch.setattr(soak.time, "sleep", lambda _: setattr(service, "asked", False))
    monkeypatch.setattr(soak, "SETTLE_SECONDS", seconds)
    return soak._settled(service, 10)[1]


def test_the_connection_that_asks_for_figures_is_not_left_open(monkeypatch):
    assert settled(monkeypatch, [10]) == 0


def test_half_open_connections_are_waited_for(monkeypatch):
    assert settled(monkeypatch, [13, 12, 10]) == 0


def test_files_that_stay_open_are_told(monkeypatch):
    assert settled(monkeypatch, [11], seconds=-1.0) == 1
