"""Takes as they are shown."""

from dataclasses import replace

from espnet2_valle.serve.takes import Take, player, table

TAKE = Take(b"mp3", "<b>one</b>", "top_p 1", ("ok",), 0.5, 1.0, 2.0, None, None)


def test_takes_are_shown_side_by_side_and_their_texts_are_no_markup():
    shown = table([replace(TAKE, alike=0.876, problem="x & y"), TAKE])
    assert shown.count("<audio") == 2
    assert "&lt;b&gt;one" in shown
    assert "<b>one" not in shown
    for part in ("0.88", "not told", "ok (x &amp; y)", "0.50 s"):
        assert part in shown
    assert 'autoplay src="/sound/abc"' in player("abc")
