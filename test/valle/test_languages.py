"""Language IDs of the AR and the NAR model."""

import pytest
import torch

from espnet2_valle.valle.alignment import align
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.languages import BatchLanguages, SpokenLanguages
from espnet2_valle.valle.nar import VALLENAR, NARLanguages

KINDS = ("text", "audio", "both")
NAMES = ["de", "en", "zh"]


def build(kind, sizes, language_id, **options):
    torch.manual_seed(0)
    model = kind(**sizes, **options, language_id=language_id, languages=NAMES).eval()
    for weights in model.parameters():  # each language counts, and differs from the others
        torch.nn.init.normal_(weights, std=0.2)
    return model


def draw_languages(batch, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return BatchLanguages(
        torch.randint(0, 3, batch["text"].shape, generator=generator),
        torch.randint(0, 3, batch["codes"].shape[:2], generator=generator),
    )


def padded_otherwise(batch, languages):
    """The same with other languages in what is padding."""
    inside = torch.arange(languages.text.shape[1]) < batch["text_lengths"].unsqueeze(1)
    frames = torch.arange(languages.codes.shape[1]) < batch["codes_lengths"].unsqueeze(1)
    return BatchLanguages(torch.where(inside, languages.text, 2), torch.where(frames, languages.codes, 1))


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
def test_without_ids_a_model_is_as_it_was(kind, sizes, batch):
    torch.manual_seed(0)
    before = kind(**sizes).eval()
    torch.manual_seed(0)
    named = kind(**sizes, language_id="none", languages=NAMES).eval()
    assert named.state_dict().keys() == before.state_dict().keys()
    torch.testing.assert_close(named(**batch).logits, before(**batch).logits, rtol=0, atol=0)
    assert named.language_ids.names == ()


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_id": "frames"}, "language_id must be one of none, text, audio, both"),
        ({"language_id": "text"}, "language_id text needs languages"),
        ({"language_id": "both", "languages": ["en", "en"]}, "each once"),
    ],
)
def test_ids_of_no_languages_are_refused(kind, sizes, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**sizes, **options)


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize("language_id", KINDS)
@pytest.mark.parametrize("training", [False, True])  # where lengths are rounded up
def test_padding_has_no_language(kind, language_id, training, sizes, batch):
    model = build(kind, sizes, language_id).train(training)
    languages = draw_languages(batch)
    logits = []
    for each in (languages, padded_otherwise(batch, languages)):
        torch.manual_seed(1)  # of the stages and prompts of a NAR training
        logits.append(model(**batch, languages=each).logits)
    torch.testing.assert_close(*logits)


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize("language_id", KINDS)
def test_a_batch_is_as_its_rows(kind, language_id, sizes, batch):
    model = build(kind, sizes, language_id, **({"chunk_frames": 4} if kind is VALLENAR else {}))
    languages = draw_languages(batch)
    rows = []
    for row in range(len(batch["text"])):
        text, frames = int(batch["text_lengths"][row]), int(batch["codes_lengths"][row])
        one = {
            "text": batch["text"][row : row + 1, :text],
            "text_lengths": batch["text_lengths"][row : row + 1],
            "codes": batch["codes"][row : row + 1, :frames],
            "codes_lengths": batch["codes_lengths"][row : row + 1],
        }
        own = BatchLanguages(languages.text[row : row + 1, :text], languages.codes[row : row + 1, :frames])
        rows.append(model(**one, languages=own).logits)
    together = model(**batch, languages=languages).logits
    torch.testing.assert_close(torch.cat(rows), together, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize(("language_id", "text", "codes"), [("text", 1, 0), ("audio", 0, 1), ("both", 1, 1)])
def test_what_is_told_its_language_heeds_it(kind, language_id, text, codes, sizes, batch):
    model = build(kind, sizes, language_id)
    languages = draw_languages(batch)
    before = model(**batch, languages=languages).logits
    for name, heeded in (("text", text), ("codes", codes)):
        changed = languages._replace(**{name: (getattr(languages, name) + 1) % 3})
        assert torch.allclose(model(**batch, languages=changed).logits, before) != heeded
    with pytest.raises(ValueError, match="has to be told the languages"):
        model(**batch)


@pytest.mark.parametrize("language_id", KINDS)
@pytest.mark.parametrize("size", [1, 2])
def test_incremental_decoding_is_as_the_whole(language_id, size, sizes):
    model = build(VALLEAR, sizes, language_id, group_size=size, own_rate_weight=0.5)
    generator = torch.Generator().manual_seed(3)
    texts = [torch.randint(0, 11, (length,), generator=generator) for length in (6, 4)]
    groups = torch.randint(0, 16, (2, 7, size), generator=generator)
    spoken = [SpokenLanguages(torch.arange(6) % 3, 1, 2), SpokenLanguages(torch.arange(4) % 2, 0, 1)]
    prompt, rates = 3, torch.tensor([0.7, 1.2])
    expected = []
    for row in range(2):
        frames = torch.tensor([[spoken[row].prompt] * prompt + [spoken[row].target] * 4])
        languages = BatchLanguages(spoken[row].text[None], frames)
        lengths = torch.tensor([len(texts[row])]), torch.tensor([7])
        given = texts[row][None], lengths[0], groups[row : row + 1], lengths[1], rates[row : row + 1]
        expected.append(model.logits(*given, languages=languages)[:, prompt:])
    for row in range(2):
        cache = model.new_cache(1, 30)
        given = [texts[row]], groups[[row], :prompt], cache, rates[[row]], [spoken[row]]
        steps = [model.prefill(*given)]
        for place in range(prompt, 7):
            target = torch.tensor([spoken[row].target])
            steps.append(model.step(groups[[row], place], torch.tensor([place]), cache, rates[[row]], target))
        torch.testing.assert_close(torch.stack(steps, 1), expected[row], rtol=1e-4, atol=1e-4)
    together = model.prefill(texts, groups[:, :prompt], model.new_cache(2, 30), rates, spoken)
    alone = torch.cat([one[:, 0] for one in expected])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("language_id", KINDS)
@pytest.mark.parametrize("restart", [False, True])
def test_the_nar_model_fills_in_alike_at_once_in_batches_and_chunk_by_chunk(language_id, restart, sizes):
    model = build(VALLENAR, sizes, language_id, chunk_frames=4, restart_positions=restart)
    generator = torch.Generator().manual_seed(4)
    texts = [torch.randint(0, 11, (length,), generator=generator) for length in (6, 4)]
    prompts = [torch.randint(0, 16, (length, 4), generator=generator) for length in (5, 7)]
    firsts = [torch.randint(0, 16, (length,), generator=generator) for length in (12, 9)]
    spoken = [SpokenLanguages(torch.arange(6) % 3, 1, 2), SpokenLanguages(torch.arange(4) % 2, 0, 1)]
    chunks = Chunks(4, 4)
    together = model.generate(texts, prompts, firsts, chunks, spoken)
    for row, expected in enumerate(together):
        given = [texts[row]], [prompts[row]], [firsts[row]], chunks, [spoken[row]]
        torch.testing.assert_close(model.generate(*given)[0], expected)
        context = model.prefill(texts[row], prompts[row], spoken[row])
        parts = [model.extend(part, context) for part in firsts[row].split(4)]
        torch.testing.assert_close(torch.cat(parts), expected)
    # And as the model predicts in training.
    frames = len(firsts[0])
    stage = torch.tensor([model.first_stage])
    languages = NARLanguages(
        spoken[0].text[None], torch.full((1, 5), spoken[0].prompt), torch.full((1, frames), spoken[0].target)
    )
    target = torch.zeros(1, frames, 4, dtype=torch.long)
    target[0, :, 0] = firsts[0]
    lengths = [torch.tensor([number]) for number in (6, 5, frames)]
    logits = model.logits(
        texts[0][None],
        lengths[0],
        prompts[0][None],
        lengths[1],
        target,
        lengths[2],
        stage,
        languages=languages,
    )
    found = model.generate([texts[0]], [prompts[0]], [firsts[0]], None, [spoken[0]])[0]
    torch.testing.assert_close(found[:, model.first_stage], logits[0].argmax(-1))


def test_the_alignment_is_told_the_languages(sizes):
    model = build(VALLEAR, sizes, "both")
    text, codes = torch.arange(6), torch.arange(9)
    spoken = [SpokenLanguages(torch.full((6,), language), 0, language) for language in (0, 2)]
    found = [align(model, text, codes[:4], codes[4:], 3, one).weights for one in spoken]
    assert not torch.allclose(*found)
