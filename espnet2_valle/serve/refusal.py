"""Refusals: the reasons for which a request is not served, as OpenAI's interface words them."""

from typing import Any

INVALID = "invalid_request_error"
RETRY_SECONDS = 2


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: of HTTP.
        message: for people.
        code: for programs.
        param: of the request that is at fault.
        retry: asking again soon may do.
    """

    def __init__(self, status: int, message: str, code: str, param: str | None = None, retry: bool = False):
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.retry = status, message, code, param, retry

    @property
    def content(self) -> dict[str, Any]:
        """The body of the answer."""
        kind = INVALID if self.status < 500 else "server_error"
        kind = "rate_limit_error" if self.status == 429 else kind
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Headers beside it."""
        return {"Retry-After": str(RETRY_SECONDS)} if self.retry else {}


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> Refusal:
    """A refusal of what a request says."""
    return Refusal(400, message, code, param)


def restarting(message: str = "the worker died, and so did the next ones that tried this request") -> Refusal:
    """A refusal for want of a worker."""
    return Refusal(503, message, "worker_died", retry=True)
