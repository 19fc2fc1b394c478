"""MUSHRA's switch between recordings, in JavaScript with a stand-in for the browser's audio."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

DECK = Path(__file__).parents[2] / "espnet2_valle" / "score" / "listening" / "deck.js"
# A clock that the test moves, and nodes that remember what was asked of them.
STAND_IN = """
let now = 100;
const lengths = { ref: 2.0, a: 1.0, b: 2.0 };
const log = [];
globalThis.setInterval = () => 0;
globalThis.clearInterval = () => {};
globalThis.fetch = async (src) => ({ arrayBuffer: async () => src });
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


@pytest.fixture
def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


def run(node, script):
    """What `script` hands to `tell`, with a loaded deck of ref, a and b under `deck`."""
    body = f"""
    {STAND_IN}
    {DECK.read_text()}
    (async () => {{
      const told = [];
      const tell = (value) => told.push(value);
      const heard = [];
      const deck = new Deck(["ref", "a", "b"], (number) => heard.push(number), () => {{}});
      await deck.load();
      const gains = () => deck.voices.map((voice) => voice && voice.gain.gain.value);
      {script}
      console.log(JSON.stringify(told));
    }})();
    """
    done = subprocess.run([node, "-e", body], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_switch_keeps_the_place_and_lets_one_be_heard(node):
    before, after, starts, gains = run(
        node,
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


def test_pausing_and_seeking_go_on_at_the_place(node):
    told = run(
        node,
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


def test_a_recording_counts_once_it_was_heard_as_long_as_it_lasts(node):
    told = run(
        node,
        """
        deck.choose(1); now += 0.6; deck.tick(); tell([...heard]);
        deck.choose(2); now += 0.5; deck.tick(); tell([...heard]);
        deck.seek(0.6); deck.choose(1); now += 0.4; deck.tick(); tell([...heard]);
        now += 5; deck.tick(); tell([...heard]);
        deck.choose(1); now += 1; deck.tick(); tell([...heard]);
        """,
    )
    assert told == [[], [], [1], [1], [1]]


def test_it_ends_at_the_end_of_the_longest_and_repeats_when_asked(node):
    told = run(
        node,
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
