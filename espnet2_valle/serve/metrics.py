"""Figures of the service for Prometheus."""

from collections.abc import Callable
from typing import Any

from espnet2_valle.common.extras import import_extra

FIRST_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
TOTAL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)


class Metrics:
    """Counters and histograms, in a registry of their own.

    Args:
        active, rows, ready, restarts: functions that tell the state when it is asked for.

    Attributes:
        ended: requests for speech by how they ended: ok, refused, client_gone, broken.
        refused: refusals by their code.
        first: seconds to the first sound.
        total: seconds to the last.
        sound: seconds of speech that were sent.
        characters: of the texts.
    """

    def __init__(
        self,
        active: Callable[[], float],
        rows: Callable[[], float],
        ready: Callable[[], float],
        restarts: Callable[[], float],
    ):
        self._client = client = import_extra("prometheus_client", "the service", "serve")
        self.registry = registry = client.CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Any:
            return client.Counter(f"valle_{name}", about, labels, registry=registry)

        self.ended = counter("speech_requests", "requests for speech by how they ended", "end")
        self.refused = counter("refusals", "refusals by their code", "code")
        self.sound = counter("speech_seconds", "seconds of speech sent")
        self.characters = counter("characters", "characters of texts")
        self.first = client.Histogram(
            "valle_first_sound_seconds", "to the first sound", buckets=FIRST_BUCKETS, registry=registry
        )
        self.total = client.Histogram(
            "valle_answer_seconds", "to the last sound", buckets=TOTAL_BUCKETS, registry=registry
        )
        for name, about, function in (
            ("active_requests", "requests for speech that are being answered or wait", active),
            ("decoder_rows", "utterances in the decoders' batches", rows),
            ("workers_ready", "workers that take requests", ready),
            ("worker_restarts", "workers that died and were begun again", restarts),
        ):
            client.Gauge(f"valle_{name}", about, registry=registry).set_function(function)

    def page(self) -> tuple[bytes, str]:
        """The page that Prometheus reads, and its media type."""
        return self._client.generate_latest(self.registry), self._client.CONTENT_TYPE_LATEST
