"""Answers to questions: the head pair by pair, losses, accuracies; and a run that learns."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hbi_core.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from hbi_core.data import Clip, read_corpus
from hbi_core.data.batch import Batch, Sample
from hbi_core.data.config import DataConfig
from hbi_core.data.encoding import encode_corpus
from hbi_core.errors import DataError, NotFiniteError, SettingsError
from hbi_core.losses import LossConfig
from hbi_core.model import Tokens
from hbi_core.tasks import load_task
from hbi_core.tasks.question_answering import (
    AnswerSettings,
    QuestionAnsweringTask,
    accuracies,
)
from hbi_core.training.loop import train
from support.releases import write_drawing
from support.small_runs import lines, losses, settings, toy_heads
from support.toy import ToyEncoder

VOCABULARY = ("red", "left", "a dog", "3")
FRAMES, WORDS = (8, 5), (4, 6)


def task_with(loss=(), **own):
    """Before training, but that no two tokens have the same weight and no answer the same bias."""
    torch.manual_seed(0)
    own = AnswerSettings(hidden=12, vocabulary=VOCABULARY, **own)
    loss = LossConfig(**{"target": "none", "distillation": ()} | dict(loss))
    task = QuestionAnsweringTask(toy_heads(), loss, None, own)
    for level in task.hierarchy.levels:
        for network in (level.video_logits, level.text_logits):
            torch.nn.init.normal_(network[-1].weight)
    torch.nn.init.normal_(task.own.bias)
    return task.eval()


def tokens(lengths, width, longest=None, seed=0):
    """Random features, huge where padding stands."""
    longest = longest or max(lengths)
    drawn = torch.Generator().manual_seed(seed)
    mask = torch.arange(longest) < torch.tensor(lengths).unsqueeze(-1)
    features = torch.full((len(lengths), longest, width), 1e3)
    for row, length in enumerate(lengths):
        features[row, :length] = torch.randn(length, width, generator=drawn)
    return Tokens.original(features, mask)


def levels_of(task, frames=None, words=None):
    with torch.no_grad():
        return task.hierarchy(tokens(FRAMES, 48, frames, seed=1), tokens(WORDS, 32, words, seed=2))


def batch_of(captions, frames=None):
    videos, texts = tokens(FRAMES, 48, frames, seed=1), tokens(WORDS, 32, seed=2)
    return Batch(
        frames=videos.features,
        frame_mask=videos.mask,
        words=texts.features,
        word_mask=texts.mask,
        ids=torch.arange(2),
        samples=tuple(Sample((n,), (caption,), 0) for n, caption in enumerate(captions)),
    )


def slow_softmax(logits, mask):
    real = [math.exp(x) if there else 0.0 for x, there in zip(logits, mask, strict=True)]
    return [x / sum(real) for x in real]


def gelu(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def slow_pair(head, video, text, answer):
    """W_c f(v, t), feature by feature."""

    def linear(steps, token):
        norm, map_ = steps
        mean = sum(token) / len(token)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in token) / len(token) + norm.eps)
        normed = [
            (x - mean) / deviation * w + b
            for x, w, b in zip(token, norm.weight.tolist(), norm.bias.tolist(), strict=True)
        ]
        return [
            sum(w * x for w, x in zip(row, normed, strict=True)) + b
            for row, b in zip(map_.weight.tolist(), map_.bias.tolist(), strict=True)
        ]

    pairs = zip(linear(head.video, video), linear(head.text, text), strict=True)
    features = [gelu(p + q + p * q) for p, q in pairs]
    weights = head.answers.weight[answer].tolist()
    return sum(w * x for w, x in zip(weights, features, strict=True))


def test_logits_are_those_of_a_loop_over_pairs():
    task = task_with()
    levels = levels_of(task)
    logits = task.logits(levels)
    assert logits.shape == (2, len(VOCABULARY))
    for row in range(2):
        for answer in range(len(VOCABULARY)):
            said = []
            for level in levels:
                head = task.own.levels[level.name]
                (videos, a), (texts, b) = level.video, level.text
                of_frames = slow_softmax(a[row].tolist(), videos.mask[row])
                of_words = slow_softmax(b[row].tolist(), texts.mask[row])
                total = 0.0
                for v in range(int(videos.mask[row].sum())):
                    for t in range(int(texts.mask[row].sum())):
                        pair = slow_pair(
                            head,
                            videos.features[row, v].tolist(),
                            texts.features[row, t].tolist(),
                            answer,
                        )
                        total += of_frames[v] * of_words[t] * pair
                said.append(total)
            expected = sum(said) / len(said) + task.own.bias[answer].item()
            assert logits[row, answer].item() == pytest.approx(expected, abs=1e-4)


def test_values_of_pairs_add_up_to_the_logits():
    """By the token weights, as the game of all players has them."""
    task = task_with()
    levels, chosen = levels_of(task), [2, 0]
    for level, logits in zip(levels, task.level_logits(levels), strict=True):
        values = task.pair_values(level, chosen)
        masks = level.video.tokens.mask, level.text.tokens.mask
        assert values.shape == (2, 2, masks[0].shape[1], masks[1].shape[1])
        padding = ~(masks[0].unsqueeze(-1) & masks[1].unsqueeze(-2)).unsqueeze(1)
        assert (values.masked_select(padding) == 0).all()
        game = level.game()
        video, text = (
            x.masked_fill(~mask, -torch.inf).softmax(-1)
            for x, mask in ((game.video_logits, masks[0]), (game.text_logits, masks[1]))
        )
        total = torch.einsum("bv,bt,bcvt->bc", video, text, values)
        assert torch.allclose(total, logits[:, chosen], atol=1e-5)


def test_padding_changes_nothing():
    task = task_with()
    expected = task.logits(levels_of(task))
    assert torch.allclose(task.logits(levels_of(task, 8, 9)), expected, atol=1e-5)
    with torch.no_grad():
        for row, (frames, words) in enumerate(zip(FRAMES, WORDS, strict=True)):
            videos, texts = tokens(FRAMES, 48, seed=1), tokens(WORDS, 32, seed=2)
            alone = task.hierarchy(
                Tokens.original(videos.features[row : row + 1, :frames]),
                Tokens.original(texts.features[row : row + 1, :words]),
            )
            assert torch.allclose(task.logits(alone)[0], expected[row], atol=1e-5)


def test_the_likeliest_answers_come_first():
    task = task_with()
    levels = levels_of(task)
    probabilities = task.logits(levels).detach().softmax(-1)
    for row, answers in enumerate(task.answer(levels, 3)):
        order = sorted(range(4), key=lambda n: -float(probabilities[row, n]))
        assert [answer.number for answer in answers] == order[:3]
        assert [answer.text for answer in answers] == [VOCABULARY[n] for n in order[:3]]
        for answer in answers:
            expected = float(probabilities[row, answer.number])
            assert answer.probability == pytest.approx(expected, abs=1e-6)
    assert len(task.answer(levels, 9)[0]) == 4


def question(*answers, id="a"):
    return Clip(id, (), ("what?",) * len(answers), answers, ("what",) * len(answers))


def test_losses_of_all_levels():
    task = task_with({"supervised": ("entity", "event"), "distillation": ("entity>event",)})
    task.prepare([question("left", "green"), question("3", id="b")])
    assert task.losses == [
        "answer/mean",
        "answer/entity",
        "answer/event",
        "distillation/entity>event",
    ]
    found = task(batch_of([0, 2]))
    assert list(found) == [*task.losses, "total"]
    levels, right = levels_of(task), [1, 3]
    said = [logits + task.own.bias for logits in task.level_logits(levels)]

    def missed(logits):
        return -sum(logits.log_softmax(-1)[n, r].item() for n, r in enumerate(right)) / 2

    assert found["answer/entity"].item() == pytest.approx(missed(said[0]), abs=1e-5)
    assert found["answer/event"].item() == pytest.approx(missed(said[2]), abs=1e-5)
    assert found["answer/mean"].item() == pytest.approx(missed(task.logits(levels)), abs=1e-5)
    student, teacher = said[2].softmax(-1), said[0].softmax(-1)
    divergence = (student * (student / teacher).log()).sum().item() / 2
    assert found["distillation/entity>event"].item() == pytest.approx(divergence, abs=1e-5)
    total = sum(found[name].item() for name in task.losses[:3]) + 2 * divergence
    assert found["total"].item() == pytest.approx(total, abs=1e-4)


def test_an_unknown_answer_teaches_nothing():
    """And takes no part of the others: the loss is a mean over all questions of a batch."""
    task = task_with()
    task.prepare([question("left", "green"), question("3", id="b")])
    both = task(batch_of([0, 2]))["answer/mean"]
    first, second = (task(batch_of(captions))["answer/mean"] for captions in ([0, 1], [1, 2]))
    assert both.item() == pytest.approx(first.item() + second.item(), abs=1e-5)
    assert task(batch_of([1, 1]))["total"] == 0


def test_banzhaf_losses_are_those_of_the_levels():
    task = task_with({"target": "closed_form"})
    task.prepare([question("left", "3")])
    found = task(batch_of([0, 1]))
    for level, module, scale in zip(
        levels_of(task), task.hierarchy.levels, task.loss.interaction_scale, strict=True
    ):
        expected = task.banzhaf(level, module.head, scale)
        assert torch.allclose(found[f"banzhaf/{level.name}"], expected, atol=1e-5)


def test_the_vocabulary_is_the_most_frequent_answers():
    clips = [question("dog", "cat", "dog"), question("cat", "ape", "bee", id="b")]
    complete = QuestionAnsweringTask.complete
    assert complete(AnswerSettings(classes=3), clips).vocabulary == ("cat", "dog", "ape")
    assert complete(AnswerSettings(), clips).vocabulary == ("cat", "dog", "ape", "bee")
    given = AnswerSettings(vocabulary=("bee",))
    assert complete(given, clips) == given
    assert AnswerSettings().classes == 1000


def test_accuracies_of_all_and_of_each_kind():
    kinds = ["who", "what", "who", "what", "who"]
    found = accuracies(torch.tensor([1, 5, 6, 1, 2]), kinds)
    assert found == {
        "all": {"top-1": pytest.approx(40), "top-5": pytest.approx(80), "questions": 5},
        "what": {"top-1": pytest.approx(50), "top-5": pytest.approx(100), "questions": 2},
        "who": {"top-1": pytest.approx(100 / 3), "top-5": pytest.approx(200 / 3), "questions": 3},
    }


def test_what_is_measured_is_what_is_answered(small):
    """An answer that is not in the vocabulary is wrong, however few answers there are."""
    task = task_with()
    known = encode_corpus(ToyEncoder(), read_corpus("synthetic_questions", small, "validation"), 8)
    right = {1: 0, 5: 0}
    for number, owner in enumerate(known.owners.tolist()):
        with torch.no_grad():
            levels = task.hierarchy(known.videos([owner]), known.texts([number], 24))
        (answers,) = task.answer(levels)
        of_clip = (known.owners[:number] == owner).sum()
        for most in right:
            right[most] += known.clips[owner].answers[of_clip] in [a.text for a in answers[:most]]
    results = task.validate(known)
    assert task.score(results) == results["all"]["top-1"]
    for most, count in right.items():
        expected = 100 * count / len(known.owners)
        assert results["all"][f"top-{most}"] == pytest.approx(expected)
    assert 0 < right[1] < right[5] < len(known.owners)
    assert set(results) == {"all", "colour", "direction", "shape"}
    assert results["shape"]["top-5"] == 0


def test_what_is_not_finite_is_told():
    task = task_with()
    task.prepare([question("left", "3")])
    with torch.no_grad():
        task.hierarchy.levels[1].video_logits[-1].bias.fill_(torch.nan)
    with pytest.raises(NotFiniteError, match="video tokens of the action level"):
        task(batch_of([0, 1]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": {"montages": 0.5}}, r"one clip each: set data\.montages to 0"),
        ({"data": {"validation_parts": 2}}, r"data\.validation_parts to 1"),
        ({"loss": {"pointing": 1.0}}, r"loss\.pointing .* set it to 0"),
        ({"loss": {"foil": 1.0}}, r"loss\.foil .* set it to 0"),
        ({"loss": {"interaction_scale": (1.0,)}}, r"1 loss\.interaction_scale for 3 levels"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, changed, message):
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path / "run", tmp_path, task="question_answering", **changed)


def test_clips_without_questions_are_refused(small):
    with pytest.raises(DataError, match="synthetic has no questions"):
        QuestionAnsweringTask.corpus(DataConfig("synthetic", small), "train")


def test_a_run_climbs_from_chance_to_nearly_perfect(tmp_path):
    """Colour and direction of a square: its question decides which of them is asked for."""
    config = settings(
        tmp_path / "run",
        write_drawing(tmp_path / "drawn", frames=4, train=16),
        data={"dataset": "synthetic_questions", "frames": 4, "workers": 0},
        loss={"target": "none", "distillation": ()},
        optimiser={"epochs": 8, "batch_size": 48},
        evaluate_every=8,
        task="question_answering",
        task_settings={"hidden": 128},
    )
    best = load_checkpoint(train(config, ToyEncoder()))
    corpus = read_corpus("synthetic_questions", config.data.root, "validation")
    known = encode_corpus(ToyEncoder(), corpus, 4)
    own = AnswerSettings(hidden=128, vocabulary=tuple(best.task.settings["vocabulary"]))
    assert len(own.vocabulary) == 4 + 1 + 4
    untrained = QuestionAnsweringTask(toy_heads(), LossConfig(), None, own).eval()
    assert untrained.validate(known)["all"]["top-1"] < 50
    results = load_task(best).validate(known)
    assert results == best.training["validation"]
    assert results["all"]["top-1"] >= 90
    first, last = losses(config.out)[0], losses(config.out)[-1]
    assert last["loss/answer/mean"] < 0.3 * first["loss/answer/mean"]
    assert "direction/top-1" in lines(config.out)[-1]


def test_it_comes_back_from_a_file(tmp_path):
    """With its vocabulary, in half precision too."""
    task = task_with(classes=7)
    heads = replace(toy_heads(), hierarchy=task.hierarchy, task=task.state())
    save_checkpoint(tmp_path / "a.safetensors", heads, dtype=torch.float16)
    again = load_task(load_checkpoint(Path(tmp_path / "a.safetensors")))
    assert isinstance(again, QuestionAnsweringTask)
    assert again.settings == task.settings
    levels = levels_of(task)
    assert torch.allclose(again.logits(levels), task.logits(levels), atol=1e-2)
