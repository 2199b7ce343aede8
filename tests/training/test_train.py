"""The training loop: it learns, resumes to the same losses, and several processes agree."""

import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from photochrom import OptionError, TrainingError
from photochrom.training import checkpoint, run_folder, schedule, train
from photochrom.training.config import BEST, CHECKPOINT, MODEL, SETTINGS, TrainingConfig
from photochrom.training.data.batches import load_ahead
from photochrom.training.evaluation.metrics import PairedDifference
from photochrom.training.run_folder import check_best, draw_curves
from photochrom.training.stop_signals import Stopped
from tests.helpers import training_runs, unlike_processes
from tests.helpers.training_runs import features, losses, new_trainer, run

RECIPES = tuple(training_runs.RECIPES)


@dataclass(frozen=True)
class Eventful:
    """Batches of another source that call a function after some of them."""

    source: object
    number: int
    event: object

    def __len__(self):
        return len(self.source)

    def stream(self, indices):
        return load_ahead(self.batch, indices, 1)

    def batch(self, indices):
        return self.source.batch(indices)

    def backbone_features(self, inputs):
        object.__setattr__(self, "number", self.number - 1)
        if self.number == 0:
            inputs = self.event(inputs) or inputs
        return self.source.backbone_features(inputs)


def press(_=None):
    """Call the handler of Ctrl+C, as the system does."""
    signal.getsignal(signal.SIGINT)(signal.SIGINT, None)


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    monkeypatch.setattr(schedule, "ROUND", 12)


def test_a_seed_determines_the_order_of_views_and_no_view_repeats_within_an_epoch(tmp_path):
    first, same, other = (
        np.concatenate(list(new_trainer("reference", tmp_path, batch=4, epochs=2, seed=seed).view_indices()))
        for seed in (1, 1, 2)
    )
    assert first.tolist() == same.tolist() != other.tolist()
    assert sorted(first[:12]) == sorted(first[12:]) == sorted(other[:12]) == list(range(12))
    assert first[:12].tolist() != first[12:].tolist()


@pytest.mark.slow
def test_the_encoder_sees_whole_pictures_also_where_a_part_is_learnt(tmp_path):
    """Otherwise the edges of a crop would look to the encoder like edges of a picture, which have other colours."""
    cache, trainer, seen = features("default"), new_trainer("default", tmp_path), []
    trainer.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].shape[2:]))
    trainer.update(Eventful(cache, 1, lambda inputs: seen.append(inputs[0].shape[2:])), cache.batch(np.arange(4)))
    assert seen == [(16, 16), (8, 8)]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
class TestOneProcess:
    def test_a_run_learns_and_resumes_after_a_signal_with_the_same_losses(self, recipe, tmp_path):
        """It is stopped in the middle of an epoch by the handler that Ctrl+C calls; ``test_ctrl_c`` uses the real
        signal."""
        cache = features(recipe)
        whole = losses(run(new_trainer(recipe, tmp_path), cache, cache))
        assert whole[-1][1] < 0.9 * whole[0][1]

        stopped = new_trainer(recipe, tmp_path)
        with pytest.raises(Stopped, match="go on with resume=True") as found:
            run(stopped, Eventful(cache, 8, press), cache, tmp_path)
        assert found.value.status == 130
        assert stopped.step == 8
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

        resumed = new_trainer(recipe, tmp_path)
        resumed.resume(tmp_path / CHECKPOINT)
        run(resumed, cache, cache)
        assert losses(resumed.history) == whole

    def test_a_loss_of_nan_stops_the_run_before_it_does_harm(self, recipe, tmp_path):
        def spoil(inputs):
            return [torch.full_like(m, torch.nan) for m in inputs]

        trainer = new_trainer(recipe, tmp_path)
        with pytest.raises(TrainingError, match=r"step 5: start another run from this one with a learning rate below"):
            run(trainer, Eventful(features(recipe), 5, spoil), features(recipe), tmp_path)
        assert trainer.step == 4
        assert all(value.isfinite().all() for value in trainer.head.state_dict().values())
        tensors, facts = checkpoint.load(tmp_path / CHECKPOINT)
        assert facts["step"] == 3  # the last round's
        assert all(value.isfinite().all() for value in tensors.values())

    def test_nobody_is_sent_to_weights_that_a_run_has_not_written_yet(self, recipe, tmp_path):
        cache, trainer = features(recipe), new_trainer(recipe, tmp_path)
        spoiled = Eventful(cache, 2, lambda inputs: [m * torch.nan for m in inputs])
        with pytest.raises(TrainingError, match="step 2: start again in another folder, with a learning rate below"):
            run(trainer, spoiled, cache, tmp_path)


@pytest.mark.slow
class TestBlindEncoder:
    """Units of a ReLU6 can all end below 0 at too high a rate; the loss still falls by what other strides tell."""

    def blind(self, trainer):
        for name, value in trainer.head.stages.stages[-1].named_parameters():
            value.data.fill_(-100.0 if name.endswith("expand.bias") else 0.0)

    def test_a_run_that_makes_it_blind_is_ended(self, tmp_path):
        cache, trainer = features("default"), new_trainer("default", tmp_path)
        with pytest.raises(TrainingError, match=r"stride 32 have become the same.* a learning rate below 0.001"):
            run(trainer, Eventful(cache, 5, lambda _: self.blind(trainer)), cache, tmp_path)
        assert trainer.step == 6  # the next round's end
        assert checkpoint.load(tmp_path / CHECKPOINT)[1]["step"] == 3

    def test_a_resumed_run_that_has_become_blind_is_ended(self, tmp_path):
        """The process was killed within a round, after a checkpoint by the clock."""
        cache, stopped = features("default"), new_trainer("default", tmp_path)
        log = training_runs.MemoryLog(stopped, tmp_path)
        log.note = lambda *_: press()
        with pytest.raises(Stopped):
            train.fit(stopped, cache, cache, log, 60, 0)
        self.blind(stopped)
        stopped.save(tmp_path / CHECKPOINT)
        resumed = new_trainer("default", tmp_path)
        resumed.resume(tmp_path / CHECKPOINT)
        with pytest.raises(TrainingError, match=r"stride 32 have become the same"):
            run(resumed, cache, cache)


@pytest.mark.parametrize(
    "exc",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("Exception from core.cpp:132:\nFailed to allocate 32212254720 bytes of memory\n"),  # OpenVINO
    ],
)
def test_too_little_memory_is_reported(exc, tmp_path):
    def fail(_):
        raise exc

    with pytest.raises(TrainingError, match="give a smaller batch"):
        run(new_trainer("reference", tmp_path), Eventful(features("reference"), 2, fail), features("reference"))


def test_other_errors_are_not_mistaken_for_out_of_memory(tmp_path):
    def fail(_):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(new_trainer("reference", tmp_path), Eventful(features("reference"), 2, fail), features("reference"))


def test_checkpoints_come_by_the_clock_too(tmp_path):
    trainer = new_trainer("reference", tmp_path, epochs=2)
    log = training_runs.MemoryLog(trainer, None)
    train.fit(trainer, features("reference"), features("reference"), log, 1e-9, 0)
    assert log.saves == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["$", "a $b$ c", "100 %", "_^$"])
def test_the_name_of_a_run_is_not_taken_for_a_formula(name, tmp_path):
    draw_curves([{"epoch": 1.0, "training": 2.0, "validation": 3.0}], name, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


class TestPatience:
    """Runs of one round per epoch with given held-out losses."""

    @pytest.fixture
    def begin(self, tmp_path, monkeypatch):
        def begin(held_out):
            trainer = new_trainer("reference", tmp_path, epochs=len(held_out))
            monkeypatch.setattr(trainer, "validate", lambda source: held_out[len(trainer.history)])
            return trainer

        return begin

    @pytest.mark.parametrize(
        ("held_out", "patience", "epochs", "best"),
        [
            ([3, 2, 4, 5, 6, 7, 8], 3, 5, 2),
            ([3, 2, 4, 5, 1, 7, 8, 9, 9], 3, 8, 5),
            ([3, 2, 2, 2, 2, 2], 3, 5, 2),
            ([1, 2, 3], 1, 2, 1),
            ([1, 2, 3], 3, 3, 1),
            ([1, 2, 3, 4, 5, 6], 0, 6, 1),
        ],
    )
    def test_a_run_ends_when_the_loss_no_longer_improves(self, begin, held_out, patience, epochs, best):
        trainer = begin(held_out)
        cache = features("reference")
        run(trainer, cache, cache, patience=patience)
        assert trainer.step == 3 * epochs
        assert len(trainer.history) == epochs
        assert trainer.best["epoch"] == best

    @pytest.mark.slow
    def test_a_resumed_run_ends_where_it_would_have_and_then_trains_no_more(self, begin, tmp_path):
        held_out, cache = [3, 2, 4, 5, 6, 7, 8, 9], features("reference")
        whole = begin(held_out)
        run(whole, cache, cache, patience=3)

        with pytest.raises(Stopped):
            run(begin(held_out), Eventful(cache, 10, press), cache, tmp_path, patience=3)
        for steps in (5, 0):
            resumed = begin(held_out)
            resumed.resume(tmp_path / CHECKPOINT)
            assert resumed.step == 15 - steps
            run(resumed, cache, cache, tmp_path, patience=3)
            assert losses(resumed.history) == losses(whole.history)

    def test_a_run_that_stopped_early_resumes_with_more_patience(self, begin, tmp_path):
        held_out, cache = [1, 2, 3, 4], features("reference")
        run(begin(held_out), cache, cache, tmp_path, patience=1)
        resumed = begin(held_out)
        resumed.resume(tmp_path / CHECKPOINT)
        assert resumed.step == 6
        run(resumed, cache, cache, patience=0)
        assert resumed.step == resumed.steps == 12


@pytest.mark.parametrize(
    ("asked", "rounds"),
    [
        ({}, 10),
        ({"initial": "scratch"}, 10),
        ({"patience": 3}, 3),
        ({"patience": 0}, 0),
        ({"recipe": "default"}, 0),
        ({"recipe": "reference"}, 0),
        ({"recipe": "default", "initial": "model.onnx"}, 0),
        ({"recipe": "default", "patience": 3}, 3),
    ],
)
def test_published_recipes_run_to_their_end_by_default(asked, rounds, tmp_path):
    assert TrainingConfig(str(tmp_path), tmp_path / "run", **asked).rounds_of_patience() == rounds


class TestCheckpointsOfOtherRuns:
    @pytest.fixture
    def path(self, tmp_path):
        new_trainer("reference", tmp_path).save(tmp_path / CHECKPOINT)
        return tmp_path / CHECKPOINT

    def test_differing_conditions_are_named(self, path, tmp_path):
        with pytest.raises(
            TrainingError, match=r"options \(epochs \(30 then, 5 now\), batch \(4 then, 3 now\)\): give"
        ):
            new_trainer("reference", tmp_path, epochs=5, batch=3).resume(path)

    @pytest.mark.parametrize("name", ["set of photographs", "initial model", "number of processes"])
    def test_other_conditions_are_reported(self, name, tmp_path):
        path = tmp_path / CHECKPOINT
        new_trainer("reference", tmp_path, conditions={name: "these"}).save(path)
        with pytest.raises(TrainingError, match=rf"other options \({name} \(these then, those now\)\): give the same"):
            new_trainer("reference", tmp_path, conditions={name: "those"}).resume(path)

    def test_a_checkpoint_without_the_losses_is_named(self, path, tmp_path):
        tensors, facts = checkpoint.load(path)
        checkpoint.save(path, tensors, {name: value for name, value in facts.items() if name != "losses"})
        with pytest.raises(TrainingError, match=r"checkpoint\.safetensors: is not a checkpoint .*'losses'"):
            new_trainer("reference", tmp_path).resume(path)

    def test_another_architecture_is_reported(self, path, tmp_path):
        tensors, facts = checkpoint.load(path)
        first = next(name for name in tensors if name.startswith("head."))
        checkpoint.save(path, tensors | {first: torch.zeros(2)}, facts)
        with pytest.raises(TrainingError, match="another architecture"):
            new_trainer("reference", tmp_path).resume(path)


def run_twice(script, *arguments):
    """Run a script in two processes that train together."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*torchrun, "-m", script.__name__, *arguments]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def losses_of_two_processes(tmp_path_factory):
    """Return the losses of each of ``RECIPES``, trained by two processes with batches of two."""
    folder = tmp_path_factory.mktemp("two")
    run_twice(training_runs, "2", str(folder))
    return json.loads((folder / "losses.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_two_processes_make_the_losses_of_one_with_the_doubled_batch(recipe, losses_of_two_processes, tmp_path):
    with training_runs.double_precision():
        alone, _ = training_runs.train_and_validate(recipe, 4, tmp_path)
    together = losses_of_two_processes[recipe]
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    assert len(together) >= 3
    assert not np.allclose(together[0][1], together[-2][1], rtol=1e-3)


@pytest.mark.slow
def test_processes_with_other_clocks_disks_and_memories_decide_alike(tmp_path):
    run_twice(unlike_processes, str(tmp_path))
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == other
    assert one["updates"] == 3  # as the slower clock says
    assert one["limit"] == 8_000_000  # the disk of the first process
    assert "0.0 GB are free: give a batch below" in one["said"]


class TestSettingsOfARun:
    @pytest.fixture
    def begun(self, tmp_path):
        (tmp_path / "run").mkdir()
        config = TrainingConfig(str(tmp_path), tmp_path / "run", epochs=3, batch=16, initial="scratch")
        config.note_settings()
        return config

    def test_a_resumed_run_takes_its_settings_from_the_run(self, begun, tmp_path):
        resumed = TrainingConfig(str(tmp_path), tmp_path / "run", resume=True, minutes=2).resumed()
        assert (resumed.epochs, resumed.batch, resumed.initial) == (3, 16, "scratch")
        assert (resumed.minutes, resumed.learning_rate) == (2, None)
        same = TrainingConfig(str(tmp_path), tmp_path / "run", resume=True, epochs=3).resumed()
        assert same.epochs == 3

    def test_differing_settings_are_named_with_both_values(self, begun, tmp_path):
        other = TrainingConfig(str(tmp_path), tmp_path / "run", resume=True, epochs=5, seed=1)
        with pytest.raises(
            OptionError, match=r"\(epochs is 5 and was 3, seed is 1 and was not given\): leave them out"
        ):
            other.resumed()

    def test_more_patience_is_taken_and_stays(self, begun, tmp_path):
        arguments = {"photographs": str(tmp_path), "run_folder": tmp_path / "run", "resume": True}
        for given, expected in ((None, 10), (20, 20), (None, 20), (0, 0), (None, 0)):
            resumed = TrainingConfig(patience=given, **arguments).resumed()
            assert resumed.rounds_of_patience() == expected
            assert resumed.epochs == 3
            resumed.note_settings()

    def test_an_initial_model_is_found_from_another_folder(self, tmp_path, monkeypatch):
        for name in ("earlier", "run", "elsewhere"):
            (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path)
        TrainingConfig(str(tmp_path), tmp_path / "run", initial="earlier").note_settings()
        monkeypatch.chdir("elsewhere")
        arguments = {"photographs": str(tmp_path), "run_folder": tmp_path / "run", "resume": True}
        for initial in (None, "../earlier"):
            assert TrainingConfig(initial=initial, **arguments).resumed().initial == str(tmp_path / "earlier")
        with pytest.raises(OptionError, match="initial is earlier and was /"):
            TrainingConfig(initial="earlier", **arguments).resumed()

    def test_edited_settings_are_to_be_corrected_whether_the_original_ones_are_given_or_not(self, begun, tmp_path):
        path, arguments = tmp_path / "run" / SETTINGS, {"run_folder": tmp_path / "run", "resume": True}
        path.write_text(path.read_text().replace('"epochs": 3', '"epochs": 5'))
        edited = TrainingConfig(str(tmp_path), **arguments).resumed()
        with pytest.raises(TrainingError, match=r"\(3 then, 5 now\)\): .*if settings\.json was edited, correct it"):
            checkpoint.check_conditions(path, {"conditions": {"epochs": 3}}, {"epochs": edited.epochs})
        with pytest.raises(OptionError, match=r"epochs is 3 and was 5\): .*if settings\.json was edited, correct it"):
            TrainingConfig(str(tmp_path), epochs=3, **arguments).resumed()

    @pytest.mark.parametrize("text", ["{", "7", "[" * 100_000])
    def test_damaged_settings_are_named(self, text, begun):
        (begun.run_folder / "settings.json").write_text(text)
        with pytest.raises(TrainingError, match=r"settings\.json: cannot be read: remove it, and give"):
            TrainingConfig(begun.photographs, begun.run_folder, resume=True).resumed()

    def test_a_run_without_recorded_settings_is_resumed_with_the_given_ones(self, tmp_path):
        config = TrainingConfig(str(tmp_path), tmp_path / "run", resume=True, epochs=5)
        assert config.resumed() is config

    @pytest.mark.parametrize(
        "text",
        [
            *('{"seed": "one"}', '{"initial": 3}', '{"recipe": ["default"]}', '{"seed": true}', '{"epochs": NaN}'),
            *('{"size": 100}', '{"batch": 0}', '{"recipe": "none"}', '{"recipe": "default", "size": 64}'),
        ],
    )
    def test_invalid_settings_are_named(self, text, begun, tmp_path):
        (tmp_path / "run" / SETTINGS).write_text(text)
        with pytest.raises(TrainingError, match=r"settings\.json: .*: remove it, and give the run's settings"):
            TrainingConfig(str(tmp_path), tmp_path / "run", resume=True).resumed()


class TestFolderWithoutItsCheckpoint:
    """The best weights and the model of a run are not replaced by those of another one."""

    @pytest.mark.parametrize("name", [BEST, MODEL])
    def test_a_run_there_is_refused(self, name, tmp_path):
        (tmp_path / name).touch()
        with pytest.raises(OptionError, match="already contains a run: add resume=True"):
            TrainingConfig(str(tmp_path), tmp_path)
        with pytest.raises(
            OptionError, match=rf"contains {name}, but no {CHECKPOINT} .*: put a copy of it back, or .*"
        ):
            TrainingConfig(str(tmp_path), tmp_path, resume=True)
        TrainingConfig(str(tmp_path), tmp_path, dry_run=True)


class TestBestWeights:
    @pytest.fixture
    def trainer(self, tmp_path):
        trainer = new_trainer("reference", tmp_path, epochs=2)
        trainer.step = 6
        trainer.history = [{"epoch": epoch, "training": 1.0, "validation": 2 - epoch} for epoch in (1, 2)]
        return trainer

    def written(self, trainer, path):
        trainer.save_result(path)
        return path

    def test_weights_of_a_later_round_than_the_checkpoint_are_kept(self, trainer, tmp_path):
        best = self.written(trainer, tmp_path / BEST).read_bytes()
        trainer.step, trainer.history = 3, trainer.history[:1]
        check_best(trainer, tmp_path / BEST)
        assert (tmp_path / BEST).read_bytes() == best

    @pytest.mark.parametrize("damage", ["missing", "cut off", "of an earlier round", "of another run"])
    def test_a_checkpoint_of_the_same_step_has_them_too(self, damage, trainer, tmp_path):
        self.damage(damage, trainer, tmp_path / BEST)
        check_best(trainer, tmp_path / BEST)
        assert checkpoint.load_facts(tmp_path / BEST)["step"] == 6

    @pytest.mark.parametrize("damage", ["missing", "cut off", "of an earlier round", "of another run"])
    def test_without_them_a_run_does_not_go_on(self, damage, trainer, tmp_path):
        self.damage(damage, trainer, tmp_path / BEST)
        trainer.step = 7
        with pytest.raises(
            TrainingError, match=r"best\.safetensors: the best weights .*, those of epoch 2, are not in"
        ):
            check_best(trainer, tmp_path / BEST)

    def damage(self, kind, trainer, path):
        if kind == "of another run":
            self.written(new_trainer("reference", path.parent, epochs=3), path)
        elif kind != "missing":
            trainer.step -= 3
            self.written(trainer, path)
            trainer.step += 3
        if kind == "cut off":
            path.write_bytes(path.read_bytes()[:-1])

    def test_a_run_writes_them_after_the_checkpoint_that_restores_them(self, trainer, monkeypatch, tmp_path):
        trainer.history = [row | {"seconds": 1.0, "waited": 0.0} for row in trainer.history]
        written = []
        for name in ("save", "save_result"):
            write = getattr(trainer, name)
            monkeypatch.setattr(trainer, name, lambda path, write=write: write(path) or written.append(path.name))
        monkeypatch.setattr(run_folder.RunLog, "_color_samples", lambda log, epoch: None)
        log = run_folder.RunLog(SimpleNamespace(config=SimpleNamespace(name="mine", run_folder=tmp_path)), trainer)
        log.note(trainer.history[-1], 0)
        assert written == [CHECKPOINT, BEST]
        assert all(checkpoint.load_facts(tmp_path / name)["step"] == 6 for name in written)
        written.clear()
        log.note(trainer.history[0], 0)  # a round that is not the best
        assert written == [CHECKPOINT]


@pytest.mark.parametrize(
    ("change", "size", "advice"),
    [
        (PairedDifference(-0.5, 0.1), 128, ""),
        (
            PairedDifference(-0.1, 0.08),
            256,
            "not clearly better (-0.10 ± 0.08, no clear difference): keep the one before",
        ),
        (PairedDifference(0.0, 0.0), 256, "no better (+0.00 ± 0.00, no clear difference): keep the one before"),
        (PairedDifference(2.5, 0.3), 256, "no better (+2.50 ± 0.30): keep the one before"),
    ],
)
def test_a_run_whose_model_is_not_clearly_better_says_so(change, size, advice):
    line = run_folder.advice(change, size, 256)
    assert line == (advice and f"training has made the model {advice}, or train on more photographs")


def test_a_run_on_smaller_squares_than_before_is_advised_to_use_as_large_ones():
    line = run_folder.advice(PairedDifference(2.5, 0.3), 128, 256)
    assert line.endswith("or train on more photographs, in squares of 256 pixels")


@pytest.mark.parametrize(
    "option", [{"recipe": "x"}, {"encoder": "resnet"}, {"precision": "fp8"}, {"accelerator": "tpu"}]
)
def test_unknown_choices_are_refused(option, tmp_path):
    (name, value), *_ = option.items()
    with pytest.raises(OptionError, match=f"{name} is '{value}': choose one of [a-z0-9]+, "):
        TrainingConfig(str(tmp_path), tmp_path / "run", **option)


def test_the_benchmark_of_a_step_runs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    benchmark = importlib.import_module("training")
    for name, count in (("ROWS", 4), ("RUNS", 1)):
        monkeypatch.setattr(benchmark, name, count)
    recipe = replace(training_runs.RECIPES["reference"], batch=2, size=64, grid=16)
    cache = benchmark.random_features(recipe, training_runs.Tiny(), tmp_path)
    assert len(benchmark.measure(recipe, training_runs.Tiny(), cache)) == 3
