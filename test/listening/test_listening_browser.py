"""A rater's way through the page in a real browser: play, rate, reload in the middle, finish, analyse."""

import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from listening_runs import key_of, make_test, page_of

from espnet2_valle.listening import server as server_module
from espnet2_valle.listening.analyse import analyse
from espnet2_valle.listening.server import ListeningServer

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 240.0  # seconds, on a machine with other work
# Clicks through the page in a frame as a rater would, reloading it once in the middle of the test.
DRIVER = """
"use strict";
const frame = document.querySelector("iframe");
const page = () => frame.contentDocument;
let reloaded = false;
// The server hears what the page says, each text once.
const told = new Set();
function tell(text) {
  if (!told.has(text)) fetch("drive.js?" + encodeURIComponent(text));
  told.add(text);
}
const turns = {}; // of a page: which recording is next
let broken = false; // a switch that loses the place: the test never ends, and fails
// Each time it plays, one recording is heard up to the middle and the next one from there.
function listen(title) {
  const all = [...page().querySelectorAll("button.listen")];
  const buttons = all.filter((one) => !one.disabled);
  const inTrouble = all.filter((one) => one.closest(".card").querySelector(".trouble").textContent);
  if (broken || buttons.length + inTrouble.length < all.length) return;
  const seek = page().querySelector(".seek");
  const heard = buttons.findIndex((one) => one.getAttribute("aria-pressed") === "true");
  const turn = turns[title] || 0;
  const next = buttons[(turn + 1) % buttons.length];
  if (heard < 0) return buttons[turn % buttons.length].click();
  if (heard !== turn % buttons.length || Number(seek.value) < Number(seek.max) / 2) return;
  const place = Number(seek.value);
  turns[title] = turn + 1;
  next.click();
  const moved = Number(seek.value) - place;
  broken = moved < 0 || moved > 0.2 || next.getAttribute("aria-pressed") !== "true";
}
setInterval(() => {
  const heading = page() && page().querySelector("h1");
  if (!heading) return;
  const title = heading.textContent;
  tell(title);
  if (page().querySelector(".end")) tell(page().querySelector(".end").textContent);
  // Patience first: the last button of two goes on.
  const inTrouble = [...page().querySelectorAll(".trouble button")];
  if (inTrouble.length) {
    tell(`${title}: ${inTrouble.at(-1).textContent}`);
    return inTrouble.at(-1).click();
  }
  const players = [...page().querySelectorAll("audio")];
  for (const audio of players) {
    if (!audio.dataset.begun && audio.readyState && players.every((a) => a.paused)) {
      audio.dataset.begun = 1;
      audio.play();
    }
  }
  if (page().querySelector(".deck") && page().querySelector("fieldset").disabled) return listen(title);
  if (title.startsWith("3 of") && !reloaded) {
    reloaded = true; frame.contentWindow.location.reload(); return;
  }
  const set = [...page().querySelectorAll("fieldset")];
  if (set.some((one) => one.disabled)) return;
  const slider = [...page().querySelectorAll("input[type=range]:not(.seek)")];
  for (const one of slider) if (!one.dataset.moved) {
    one.dataset.moved = 1; one.value = 70; one.dispatchEvent(new Event("input"));
  }
  const radio = [...page().querySelectorAll("input[type=radio]")];
  if (radio.length && !radio.some((one) => one.checked)) radio[radio.length > 3 ? 1 : 0].click();
  const button = page().querySelector("main > button:not(:disabled)");
  if (button && !(radio.length && !radio.some((one) => one.checked))) button.click();
}, 60);
"""


@pytest.fixture
def browser():
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture
def said(monkeypatch):
    """What the page has said so far; `wait_for(text)` of it."""
    texts = Said()
    get = server_module.Handler._get

    def listen(handler):
        texts.add(unquote(handler.path.partition("?")[2]))
        get(handler)

    monkeypatch.setattr(server_module.Handler, "_get", listen)
    return texts


class Said:
    """Texts, heard in one thread and waited for in others."""

    def __init__(self):
        self._texts = []
        self._changed = threading.Condition()

    def add(self, text):
        with self._changed:
            self._texts.append(text)
            self._changed.notify_all()

    def wait_for(self, text):
        """The first that has `text` in it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._with(text), PATIENCE), f"{text}: not in {self._texts}"
            return self._with(text)[0]

    def _with(self, text):
        return [one for one in self._texts if text in one]


@contextmanager
def driven(browser, test, tmp_path, monkeypatch):
    """The server of a test, through whose page a browser goes."""
    (test / "public" / "drive.html").write_text('<iframe src="/"></iframe><script src="drive.js"></script>')
    (test / "public" / "drive.js").write_text(DRIVER)
    server = ListeningServer(test, port=0)
    policy = server_module.HEADERS["Content-Security-Policy"]
    monkeypatch.setitem(server_module.HEADERS, "Content-Security-Policy", f"{policy}; frame-src 'self'")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    process = subprocess.Popen(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"http://127.0.0.1:{server.server_address[1]}/drive.html",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        server.shutdown()
        thread.join()
        server.server_close()
        server.store.close()


@pytest.mark.parametrize("kind", ["mos", "mushra"])
def test_a_rater_in_a_browser(browser, tmp_path, monkeypatch, kind):
    test = make_test(tmp_path, kind=kind, num_items=2 if kind == "mos" else 4, num_training=1, num_checks=1)
    with driven(browser, test, tmp_path, monkeypatch) as server:
        raters = wait_for_the_end(server)
    page, key = page_of(test), key_of(test)
    assert len(raters) == 1, "the reload began anew"
    answers = raters[0]["answers"]
    asked = {*page["training"], *page["blocks"][0], *(check["id"] for check in page["checks"])}
    assert set(answers) == asked
    assert all(answers[name]["plays"] >= len(key["trials"][name]["systems"]) for name in page["blocks"][0])
    expected = {4.0} if kind == "mos" else {70.0}
    assert {v for name in page["blocks"][0] for v in answers[name]["scores"].values()} == expected
    assert analyse(test)["raters"]["all"] == 1


def two_trials(folder):
    """A test of two trials and nothing else."""
    return make_test(folder, per_rater=2, num_training=0, num_gold=0, num_checks=0)


def test_an_answer_given_during_an_upload_is_stored(browser, tmp_path, monkeypatch, said):
    test = two_trials(tmp_path)
    put = server_module.Handler._put

    def slowly(handler):
        said.wait_for("Saving")  # by then the last answer is given
        put(handler)

    monkeypatch.setattr(server_module.Handler, "_put", slowly)
    with driven(browser, test, tmp_path, monkeypatch) as server:
        raters = wait_for_the_end(server)
        assert "All answers are stored" in said.wait_for("close this page")
    assert set(raters[0]["answers"]) == set(page_of(test)["blocks"][0])


def test_what_comes_after_the_end_is_said_to_be_lost(browser, tmp_path, monkeypatch, said):
    test = two_trials(tmp_path)
    put = server_module.Handler._put

    def finished_elsewhere(handler):
        put(handler)
        handler.server.store.finish(1)

    monkeypatch.setattr(server_module.Handler, "_put", finished_elsewhere)
    with driven(browser, test, tmp_path, monkeypatch) as server:
        assert "1 of your answers is not stored" in said.wait_for("stored")
        assert len(server.store.everything()[0]["answers"]) == 1


def test_a_server_that_forgot_the_rater_is_not_asked_for_ever(browser, tmp_path, monkeypatch, said):
    def forgotten(handler):
        raise server_module.Refusal(401, "no rater has this token")

    monkeypatch.setattr(server_module.Handler, "_rater", forgotten)
    with driven(browser, two_trials(tmp_path), tmp_path, monkeypatch):
        assert "2 of your answers are not stored" in said.wait_for("close this page")


@pytest.mark.parametrize("kind", ["mos", "mushra"])
def test_a_recording_that_does_not_load_is_left_out(browser, tmp_path, monkeypatch, said, kind):
    options = {"per_rater": 2} if kind == "mos" else {"num_items": 1}
    test = make_test(tmp_path, kind=kind, num_training=0, num_gold=0, num_checks=0, **options)
    script = test / "public" / "loading.js"
    script.write_text(re.sub(r"PAUSES = \[.*\]", "PAUSES = [0.1, 0.2]", script.read_text()))
    page, key = page_of(test), key_of(test)
    trial = page["blocks"][0][0]
    broken, slow = [s for name in page["blocks"][0] for s in page["trials"][name]["stimuli"]][:2]
    refusals = [503, 503]
    send = server_module.Handler._send_file

    def fail(handler, path):
        if path.name in broken["src"]:
            raise ConnectionError  # closed without a word
        if path.name in slow["src"] and refusals:
            raise server_module.Refusal(refusals.pop(), "busy")
        send(handler, path)

    monkeypatch.setattr(server_module.Handler, "_send_file", fail)
    with driven(browser, test, tmp_path, monkeypatch) as server:
        answers = wait_for_the_end(server)[0]["answers"]
        assert said.wait_for("Try again")
        assert said.wait_for("Go on without it")
    scores = {name: value for answer in answers.values() for name, value in answer["scores"].items()}
    assert scores.pop(broken["id"]) is None
    assert set(scores.values()) == {4.0 if kind == "mos" else 70.0}
    assert set(answers) == set(page["blocks"][0])
    assert analyse(test)["failed"] == {key["trials"][trial]["systems"][broken["id"]]: 1}


def wait_for_the_end(server):
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE:
        raters = server.store.everything()
        if raters and raters[0]["finished"]:
            return raters
        time.sleep(0.2)
    seen = server.store.everything()
    pytest.fail(f"not finished after {PATIENCE:.0f} s: {[len(r['answers']) for r in seen]} answers")
