"""MUSHRA's switch between recordings, in JavaScript with a stand-in for the browser's audio."""

import pytest
from listening_runs import run_scripts

# A clock that the test moves, and nodes that remember what was asked of them.
STAND_IN = """
let now = 100;
const lengths = { ref: 2.0, a: 1.0, b: 2.0 };
const log = [];
globalThis.setInterval = () => 0;
globalThis.clearInterval = () => {};
globalThis.setTimeout = (done) => queueMicrotask(done);
const missing = new Set();
globalThis.fetch = async (src) => (
  { ok: !missing.has(src), headers: new Map(), arrayBuffer: async () => src }
);
class Node { connect(other) { return other; } }
globalThis.AudioContext = class {
  get currentTime() { return now; }
  async decodeAudioData(src) { return { duration: lengths[src], src }; }
  resume() {} close() { log.push("closed"); }
};
globalThis.AudioBufferSourceNode = class extends Node {
  constructor(_, { buffer }) { super(); this.src = buffer.src; }
  start(when, offset) { log.push(["start", this.src, when, offset]); }
  stop() { log.push(["stop", this.src]); }
};
globalThis.GainNode = class extends Node {
  constructor(_, { gain }) {
    super();
    this.gain = { value: gain, setTargetAtTime(to) { this.value = to; } };
  }
};
"""


def run(script, missing=()):
    """What `script` hands to `tell`, with a deck of ref, a and b; the `missing` are not loaded."""
    return run_scripts(
        ["loading.js", "deck.js"],
        STAND_IN,
        f"""
        for (const name of {list(missing)}) missing.add(name);
        const heard = [];
        const deck = new Deck(["ref", "a", "b"], (number) => heard.push(number), () => {{}});
        const loads = await Promise.allSettled([0, 1, 2].map((number) => deck.load(number)));
        const gains = () => deck.voices.map((voice) => voice && voice.gain.gain.value);
        {script}
        """,
    )


def test_a_switch_keeps_the_place_and_lets_one_be_heard():
    before, after, starts, gains = run(
        """
        deck.choose(0);
        now += 0.7;
        tell(deck.position);
        deck.choose(2);
        tell(deck.position);
        tell(log.filter((entry) => entry[0] === "start"));
        tell(gains());
        """,
    )
    assert before == after == pytest.approx(0.7)
    assert [[src, when, offset] for _, src, when, offset in starts] == [
        ["ref", 100, 0],
        ["a", 100, 0],
        ["b", 100, 0],
    ], "all began together, and none again"
    assert gains == [0, 0, 1]


def test_pausing_and_seeking_go_on_at_the_place():
    told = run(
        """
        deck.choose(1);
        now += 0.4;
        deck.pause();
        now += 5;
        tell(deck.position);
        deck.play();
        now += 0.2;
        tell(deck.position);
        deck.seek(1.5);
        tell(deck.position);
        tell(log.filter((entry) => entry[0] === "start").slice(-2).map((entry) => [entry[1], entry[3]]));
        """,
    )
    assert told[:3] == [pytest.approx(0.4), pytest.approx(0.6), 1.5]
    assert told[3] == [["ref", 1.5], ["b", 1.5]], "the short one is over there"


def test_a_recording_counts_once_it_was_heard_as_long_as_it_lasts():
    told = run(
        """
        deck.choose(1); now += 0.6; deck.tick(); tell([...heard]);
        deck.choose(2); now += 0.5; deck.tick(); tell([...heard]);
        deck.seek(0.6); deck.choose(1); now += 0.4; deck.tick(); tell([...heard]);
        now += 5; deck.tick(); tell([...heard]);
        deck.choose(1); now += 1; deck.tick(); tell([...heard]);
        """,
    )
    assert told == [[], [], [1], [1], [1]]


def test_it_ends_at_the_end_of_the_longest_and_repeats_when_asked():
    told = run(
        """
        deck.choose(0); now += 3; deck.tick();
        tell([deck.started, deck.place]);
        deck.repeats = true;
        deck.play(); now += 3; deck.tick();
        tell(deck.started !== null);
        deck.close();
        tell([deck.started, log.at(-1)]);
        """,
    )
    assert told == [[None, 0], True, [None, "closed"]]


def test_a_recording_that_does_not_load_leaves_the_others_to_be_heard():
    told = run(
        """
        tell(loads.map((load) => load.status));
        deck.begin();
        now += 2; deck.tick();
        tell([heard, gains(), log.filter((entry) => entry[0] === "start").map((entry) => entry[1])]);
        """,
        missing=["ref"],
    )
    assert told[0] == ["rejected", "fulfilled", "fulfilled"]
    assert told[1] == [[1], [None, 1, 0], ["a", "b"]]


def test_a_recording_that_is_loaded_late_joins_at_the_place():
    told = run(
        """
        deck.choose(2);
        now += 0.4;
        missing.clear();
        await deck.load(1);
        tell(deck.position);
        tell(gains());
        tell(log.filter((entry) => entry[0] === "start").slice(-3).map((entry) => [entry[1], entry[3]]));
        """,
        missing=["a"],
    )
    assert told[0] == pytest.approx(0.4)
    assert told[1] == [0, 0, 1]
    assert told[2] == [[name, pytest.approx(0.4)] for name in ("ref", "a", "b")]
