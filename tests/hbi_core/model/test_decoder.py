"""The decoder and its searches against loops over words, heads and captions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from hbi_core.errors import SettingsError
from hbi_core.model import Tokens
from hbi_core.model.decoder import END, UNKNOWN, Decoder, DecoderConfig, Memory
from support.random_model import randomised

WIDTH, HEADS, WORDS = 8, 2, 5  # END, UNKNOWN and three words
SHAPE = DecoderConfig(width=WIDTH, layers=2, heads=HEADS, hidden=12, dropout=0.0, longest=4)


def decoder(longest=4, seed=0):
    shape = DecoderConfig(**vars(SHAPE) | {"longest": longest})
    return randomised(Decoder(WORDS, 6, 2, shape), seed)


def levels(batch=3, seed=0):
    """Two levels, whose padding is no number."""
    drawn = torch.Generator().manual_seed(seed)
    made = []
    for count in (4, 2):
        features = torch.randn(batch, count, 6, generator=drawn, dtype=torch.float64)
        mask = torch.arange(count) < torch.randint(1, count + 1, (batch, 1), generator=drawn)
        made.append(Tokens.original(features.masked_fill(~mask.unsqueeze(-1), torch.nan), mask))
    return made


def sequences(batch, length, seed=1):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randint(2, WORDS, (batch, length), generator=drawn)


def norm(layer, x):
    centred = x - x.mean()
    return centred / (centred.pow(2).mean() + layer.eps).sqrt() * layer.weight + layer.bias


def attention(layer, query, keys):
    """One query [W], the tokens that it may see: head by head."""
    weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    size, outputs = WIDTH // HEADS, []
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        q = weights[0][own] @ query + biases[0][own]
        scores, values = [], []
        for key in keys:
            k = weights[1][own] @ key + biases[1][own]
            scores.append(math.exp(float(q @ k) / math.sqrt(size)))
            values.append(weights[2][own] @ key + biases[2][own])
        mixed = [s / sum(scores) * v for s, v in zip(scores, values, strict=True)]
        outputs.append(torch.stack(mixed).sum(0))
    return layer.out_proj.weight @ torch.cat(outputs) + layer.out_proj.bias


def looped(model, tokens, words):
    """Log-probabilities of the next word [1 + L, N]: one video, one word after another."""
    memory = [model.nothing]
    for level, own in zip(tokens, model.levels, strict=True):
        for token in level:
            memory.append(model.read[1].weight @ norm(model.read[0], token) + own)
            memory[-1] = memory[-1] + model.read[1].bias
    states = [
        model.words.weight[word] + model.positions[place]
        for place, word in enumerate([END, *words])
    ]
    for block in model.blocks.layers:
        first = [norm(block.norm1, x) for x in states]
        states = [
            x + attention(block.self_attn, first[n], first[: n + 1]) for n, x in enumerate(states)
        ]
        states = [x + attention(block.multihead_attn, norm(block.norm2, x), memory) for x in states]
        for n, x in enumerate(states):
            hidden = block.linear1.weight @ norm(block.norm3, x) + block.linear1.bias
            gelu = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
            states[n] = x + block.linear2.weight @ gelu + block.linear2.bias
    found = []
    for x in states:
        logits = model.words.weight @ norm(model.blocks.norm, x) + model.bias
        found.append(logits - logits.exp().sum().log())
    return torch.stack(found)


def real(tokens, row):
    """The tokens of one video at each level, without padding."""
    return [level.features[row][level.mask[row]] for level in tokens]


def test_the_decoder_is_that_of_loops():
    model, tokens, words = decoder(), levels(), sequences(3, 4)
    found = model(model.memory(tokens), words)
    assert found.shape == (3, 5, WORDS)
    for row in range(3):
        expected = looped(model, real(tokens, row), words[row].tolist())
        assert (found[row] - expected).abs().max() < 1e-12


def test_a_word_depends_on_those_before_it_alone():
    model = decoder()
    memory, words = model.memory(levels()), sequences(3, 4)
    for place in range(4):
        other = words.clone()
        other[:, place] = 2 + (other[:, place] - 1) % 3
        before, after = model(memory, words), model(memory, other)
        assert torch.equal(before[:, : place + 1], after[:, : place + 1])
        assert (before[:, place + 1] - after[:, place + 1]).abs().max() > 1e-3


def test_padding_changes_nothing():
    """Of the video: tokens that are no tokens. Of captions: END behind END."""
    model, tokens, words = decoder(), levels(), sequences(3, 4)
    found = model(model.memory(tokens), words)
    for row in range(3):
        alone = [Tokens.original(x.unsqueeze(0)) for x in real(tokens, row)]
        assert (
            model(model.memory(alone), words[row : row + 1])[0] - found[row]
        ).abs().max() < 1e-12
    memory = model.memory(tokens)
    short = torch.cat([words[:, :2], torch.zeros(3, 1, dtype=torch.long)], 1)
    longer = torch.cat([short, torch.zeros(3, 2, dtype=torch.long)], 1)
    filled = model.log_probabilities(memory, longer)
    assert (filled[:, :3] - model.log_probabilities(memory, short)).abs().max() < 1e-12
    assert (filled[:, 3:] == 0).all()


def test_a_caption_without_a_frame_is_one_of_the_language():
    """With no token of the video, the learned one is left: finite, and the same for all videos."""
    model, tokens = decoder(), levels()
    none = [Tokens.original(x.features, torch.zeros_like(x.mask)) for x in tokens]
    found = model(model.memory(none), sequences(1, 3).expand(3, -1))
    assert found.isfinite().all()
    assert (found - found[:1]).abs().max() < 1e-12
    expected = looped(model, [[], []], sequences(1, 3)[0].tolist())
    assert (found[0] - expected).abs().max() < 1e-12


@pytest.mark.parametrize("at_once", [1, 2, 256])
def test_log_probabilities_of_a_caption_given_many_videos(at_once):
    model, tokens = decoder(), levels(5)
    caption = torch.tensor([3, 2, 4, END, END])
    found = model.log_probabilities(model.memory(tokens), caption, at_once)
    for row in range(5):
        following = looped(model, real(tokens, row), [3, 2, 4])
        expected = [float(following[n, word]) for n, word in enumerate([3, 2, 4, END])]
        assert found[row].tolist() == pytest.approx([*expected, 0.0], abs=1e-12)
    begun = model.log_probabilities(model.memory(tokens), caption[:2])
    assert (begun - found[:, :2]).abs().max() < 1e-12


def following_of(model, memory, row, words):
    """What may follow, as a list: no UNKNOWN, and at least one word."""
    own = Memory(memory.features[row : row + 1], memory.mask[row : row + 1])
    following = model(own, torch.tensor([words], dtype=torch.long))[0, -1].tolist()
    return {
        word: value
        for word, value in enumerate(following)
        if word != UNKNOWN and (words or word != END)
    }


def test_greedy_takes_the_most_probable_word():
    model = decoder()
    memory = model.memory(levels(6))
    written = model.greedy(memory)
    assert written.words.shape[1] == 1
    for row in range(6):
        words, total = [], 0.0
        while END not in words and len(words) < 4:
            following = following_of(model, memory, row, words)
            words.append(max(following, key=following.get))
            total += following[words[-1]]
        if END not in words:
            total += following_of(model, memory, row, words)[END]
            words.append(END)
        found = written.words[row, 0].tolist()
        assert found == words + [END] * (len(found) - len(words))
        assert float(written.scores[row, 0]) == pytest.approx(total)
        assert float(written.log_probabilities[row, 0].sum()) == pytest.approx(total)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_wide_beam_finds_the_best_of_all_captions(penalty):
    """All 39 captions of one to three words, one by one."""
    model = decoder(longest=3)
    memory = model.memory(levels(4))
    written = model.beam(memory, 27, penalty)
    captions = [
        [*words, END] for n in (1, 2, 3) for words in itertools.product(range(2, WORDS), repeat=n)
    ]
    for row in range(4):
        own = Memory(memory.features[row : row + 1], memory.mask[row : row + 1])
        scored = {}
        for caption in captions:
            found = model.log_probabilities(own, torch.tensor(caption))
            scored[tuple(caption)] = float(found.sum()) / len(caption) ** penalty
        best = sorted(scored, key=scored.get, reverse=True)[:27]
        for place, caption in enumerate(best):
            found = written.words[row, place].tolist()
            assert found == [*caption, *[END] * (len(found) - len(caption))]
            assert float(written.scores[row, place]) == pytest.approx(scored[caption], abs=1e-12)


def looped_beam(model, memory, row, beams, penalty):
    """Beam search of one video, with lists."""
    live, ended = [([], 0.0)], []
    for length in range(1, model.longest + 2):
        begun = []
        for words, total in live:
            for word, value in following_of(model, memory, row, words).items():
                if word == END:
                    ended.append(([*words, END], (total + value) / length**penalty))
                else:
                    begun.append(([*words, word], total + value))
        live = sorted(begun, key=lambda one: -one[1])[:beams] if length <= model.longest else []
    return sorted(ended, key=lambda one: -one[1])[:beams]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_narrow_beam_is_that_of_lists(beams, seed):
    model = decoder(seed=seed)
    memory = model.memory(levels(5, seed))
    for penalty in (0.0, 1.0):
        written = model.beam(memory, beams, penalty)
        for row in range(5):
            expected = looped_beam(model, memory, row, beams, penalty)
            for place, (caption, score) in enumerate(expected):
                found = written.words[row, place].tolist()
                assert found == caption + [END] * (len(found) - len(caption))
                assert float(written.scores[row, place]) == pytest.approx(score, abs=1e-12)
                own = Memory(memory.features[row : row + 1], memory.mask[row : row + 1])
                each = model.log_probabilities(own, torch.tensor(caption))[0].tolist()
                known = written.log_probabilities[row, place].tolist()
                assert known == pytest.approx(each + [0.0] * (len(known) - len(each)), abs=1e-12)


def test_a_search_does_not_depend_on_what_else_is_in_the_batch():
    model = decoder()
    tokens = levels(6)
    together = model.beam(model.memory(tokens), 3)
    for row in range(6):
        alone = [Tokens.original(x.unsqueeze(0)) for x in real(tokens, row)]
        written = model.beam(model.memory(alone), 3)
        length = written.words.shape[-1]
        assert torch.equal(written.words[0], together.words[row, :, :length])
        assert (together.words[row, :, length:] == END).all()
        assert (written.scores[0] - together.scores[row]).abs().max() < 1e-12
    again = model.beam(model.memory(tokens), 3)
    assert torch.equal(again.words, together.words)
    assert torch.equal(again.scores, together.scores)


def test_fewer_captions_than_beams_are_told():
    """One word to say, once or twice: two captions."""
    shape = DecoderConfig(**vars(SHAPE) | {"longest": 2})
    model = randomised(Decoder(3, 6, 2, shape))
    written = model.beam(model.memory(levels(2)), 4)
    assert written.scores.isfinite().sum(-1).tolist() == [2, 2]
    for row in range(2):
        assert {tuple(one.tolist()) for one in written.words[row, :2]} == {
            (2, END, END),
            (2, 2, END),
        }


def test_every_parameter_learns():
    model = decoder().requires_grad_(True)
    memory = model.memory(levels())
    model.log_probabilities(memory, sequences(3, 5)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_what_cannot_be_is_told():
    model = decoder()
    memory = model.memory(levels())
    with pytest.raises(SettingsError, match="5 words, but the decoder was made for 4"):
        model(memory, sequences(3, 5))
    for beams, penalty in ((0, 1.0), (3, -1.0), (3, math.nan), (3, 1e3)):
        with pytest.raises(SettingsError, match="beams"):
            model.beam(memory, beams, penalty)
    with pytest.raises(SettingsError, match="8 cannot be split into 3"):
        DecoderConfig(**vars(SHAPE) | {"heads": 3})
