"""Files over a network that fails, in JavaScript."""

import pytest
from listening_runs import run_scripts

# Replies are taken from `replies`: a status with Retry-After, or "closed"; 200 where there are no more.
STAND_IN = """
const replies = [], pauses = [];
globalThis.setTimeout = (done, milliseconds) => { pauses.push(milliseconds / 1000); queueMicrotask(done); };
globalThis.fetch = async () => {
  const [status, seconds] = replies.shift() || [200];
  if (status === "closed") throw new TypeError("Failed to fetch");
  const headers = new Map(seconds === undefined ? [] : [["Retry-After", seconds]]);
  return { ok: status === 200, status, headers, text: async () => "content" };
};
const read = (reply) => reply.text();
"""


def run(script):
    return run_scripts(["loading.js"], STAND_IN, script)


def test_a_failed_load_is_tried_again_after_growing_pauses():
    told = run("replies.push(['closed'], [429]); tell(await patiently('a.wav', read)); tell(pauses);")
    assert told[0] == "content"
    assert len(told[1]) == 2
    assert 0 < told[1][0] < told[1][1]


def test_a_part_that_breaks_off_is_a_failure():
    told = run(
        """
        let tries = 0;
        const broken = async (reply) => {
          tries += 1;
          if (tries < 3) throw new TypeError("network error");
          return reply.text();
        };
        tell(await patiently("a.wav", broken));
        tell(tries);
        """
    )
    assert told == ["content", 3]


@pytest.mark.parametrize(("asked", "least", "most"), [("20", 20, 20), ("9999", 10, 60), ("Wed", 0.1, 5)])
def test_it_waits_as_long_as_the_server_asks_within_reason(asked, least, most):
    (pauses,) = run(f"replies.push([503, '{asked}']); await patiently('a.wav', read); tell(pauses);")
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


def test_it_gives_up_after_a_few_tries():
    told = run(
        """
        for (let number = 0; number < 100; number++) replies.push([404]);
        tell(await patiently("a.wav", read).catch((error) => error.message));
        tell(pauses.length);
        """
    )
    assert told[0] == "a.wav: 404"
    assert 2 <= told[1] <= 5
