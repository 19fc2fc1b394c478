"""Answers on their way to the server, in JavaScript."""

import pytest
from listening_runs import run_scripts

# `uploads` are what reached the server, whose next statuses are in `statuses` (200 without one); `during` is
# called while an upload goes on.
STAND_IN = """
const answers = {}, uploads = [], statuses = [];
let during = () => {};
async function put(trial, body) {
  await null; // as with any upload, who sends goes on first
  uploads.push([trial, body]);
  during(trial);
  const status = statuses.shift() || 200;
  if (status === "broken") throw new Error(status);
  return status;
}
"""


def run(script):
    outbox = "const outbox = new Outbox(() => answers, put, () => {});"
    return run_scripts(["outbox.js"], STAND_IN, outbox + script)


def test_an_answer_given_during_an_upload_goes_out_with_it():
    told = run(
        """
        answers.one = { scores: { a: 3 }, seconds: 5, sent: false };
        during = (trial) => {
          if (trial === "one") { answers.two = { scores: { b: 4 } }; outbox.send(); }
        };
        tell(await outbox.send());
        tell(uploads);
        tell(outbox.waiting.length);
        """,
    )
    assert told == [True, [["one", {"scores": {"a": 3}, "seconds": 5}], ["two", {"scores": {"b": 4}}]], 0]


def test_an_answer_changed_during_its_upload_goes_out_again():
    told = run(
        """
        answers.one = { scores: { a: 3 } };
        during = () => { if (uploads.length === 1) answers.one = { scores: { a: 5 } }; };
        await outbox.send();
        tell(uploads.map(([, body]) => body.scores.a));
        """,
    )
    assert told == [[3, 5]]


@pytest.mark.parametrize("problem", ["408", "429", "500", "503", "'broken'"])
def test_what_did_not_arrive_waits_for_the_next_time(problem):
    told = run(
        f"""
        answers.one = {{ scores: {{ a: 3 }} }};
        statuses.push({problem});
        tell(await outbox.send());
        tell(outbox.waiting.length);
        tell(await outbox.send());
        tell([outbox.waiting.length, uploads.length, outbox.refused]);
        """,
    )
    assert told == [False, 1, True, [0, 2, 0]]


@pytest.mark.parametrize("refusal", [400, 401, 404, 409])
def test_what_the_server_will_never_take_is_not_sent_again(refusal):
    told = run(
        f"""
        answers.one = {{ scores: {{ a: 3 }} }};
        answers.two = {{ scores: {{ a: 3 }} }};
        statuses.push({refusal});
        tell(await outbox.send());
        await outbox.send();
        tell([outbox.refused, uploads.length, Boolean(answers.one.sent), answers.two.sent]);
        """,
    )
    assert told == [True, [1, 2, False, True]]
