"""``photochrom train``, as users call it."""

import contextlib
import copy
import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from photochrom import Colorizer, OptionError, TrainingError, machine
from photochrom.commands.main import main
from photochrom.models.registry import find_model
from photochrom.training import (
    checkpoint,
    estimate,
    export,
    initial_model,
    pipeline,
    published_weights,
    recipes,
    run_folder,
)
from photochrom.training.__main__ import main as main_of_training
from photochrom.training.config import CHECKPOINT, TrainingConfig
from photochrom.training.initial_model import load_initial_model
from photochrom.training.memory import keep_memory
from photochrom.training.preparation import inspect_photographs, prepare_run
from photochrom.training.processes import launch
from photochrom.training.recipes import DEFAULT, DEFAULT_CPU, FINE_TUNING_RATE, RECIPES, fit_to_photographs
from photochrom.training.remaining_time import Costs
from photochrom.training.run_folder import locked
from photochrom.training.train import Trainer
from tests.helpers import training_runs

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.usefixtures("kept_exports")]


@pytest.fixture(scope="module")
def toy():
    return training_runs.toy()


@pytest.fixture(scope="module")
def photographs(toy, tmp_path_factory):
    """Return a folder of 40 crops of 96 pixels."""
    folder = tmp_path_factory.mktemp("photographs")
    toy.write_crops(folder, 40, 96)
    return folder


@pytest.fixture
def few_views(monkeypatch):
    """Give each photograph two views instead of the eight that so few photographs would get."""
    monkeypatch.setattr(recipes, "MIN_VIEWS", 72)


@pytest.fixture(scope="module")
def finished(photographs, tmp_path_factory):
    """Return a small finished run of the command."""
    run = tmp_path_factory.mktemp("runs") / "mine"
    options = ["--epochs", "2", "--size", "64", "--batch", "16", "--precision", "fp32"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "MIN_VIEWS", 72)
        assert main(["train", str(photographs), "-o", str(run), *options]) == 0
    return run, [str(photographs), "-o", str(run), *options]


@pytest.fixture
def unfinished(monkeypatch):
    """End runs before their model is exported and measured, which takes longer than the rest."""
    monkeypatch.setattr(pipeline, "finish", lambda run, epochs: None)


@pytest.mark.slow
@pytest.mark.usefixtures("few_views")
class TestRun:
    def test_a_run_leaves_its_files(self, finished):
        run, _ = finished
        names = {path.name for path in run.iterdir()}
        assert {"model.onnx", "report.html", "report.json", "curves.png", "losses.csv", "photographs.csv"} <= names
        assert {"samples", "tensorboard", CHECKPOINT, "best.safetensors"} <= names
        assert [p.name for p in sorted((run / "samples").iterdir())] == ["epoch-001.png", "epoch-002.png"]
        sample = cv2.imread(str(run / "samples" / "epoch-002.png"))
        grey, colored, truth = (sample[4:160, 6 + 160 * i : 160 + 160 * i] for i in range(3))
        assert np.ptp(grey.astype(int), axis=2).max() == 0
        assert np.ptp(colored.astype(int), axis=2).mean() > 2
        assert np.ptp(truth.astype(int), axis=2).mean() > 2
        assert not [path for path in run.rglob("*") if ".part" in path.name]

    def test_the_trained_model_colours_photographs(self, finished, tmp_path):
        run, _ = finished
        Image.fromarray(data.camera()).save(tmp_path / "old.png")
        assert main(["photo", str(tmp_path / "old.png"), "--model", str(run / "model.onnx")]) == 0
        colored = np.asarray(Image.open(tmp_path / "old.color.png").convert("RGB"), int)
        assert np.ptp(colored, axis=2).mean() > 1

    def test_a_run_is_not_begun_twice(self, finished, capsys):
        _, arguments = finished
        assert main(["train", *arguments]) == 2
        assert "already contains a run: add --resume to resume it" in capsys.readouterr().err

    def test_a_finished_run_that_is_resumed_trains_no_more(self, finished, unfinished, capsys):
        run, arguments = finished
        before = {name: (run / name).read_bytes() for name in ("losses.csv", CHECKPOINT)}
        assert main(["train", *arguments, "--resume"]) == 0
        assert re.search(r"step (\d+) of \1\b", capsys.readouterr().out)
        assert {name: (run / name).read_bytes() for name in before} == before

    def test_a_run_that_gets_no_better_ends_early_and_is_finished(self, finished, monkeypatch, tmp_path, capsys):
        """Its steps and samples are left out, because they take most of the time."""

        def step(trainer, source, batch):
            trainer.step += 1
            trainer.losses.append(1.0)
            return 1.0

        run, (photographs, _, _, *options) = finished
        shutil.copytree(run / "features", tmp_path / "run" / "features")
        ends = []
        monkeypatch.setattr(
            pipeline, "finish", lambda run, epochs: ends.append(run_folder.model_card(run, network, epochs))
        )
        monkeypatch.setattr(run_folder, "write_samples", lambda *arguments: None)
        monkeypatch.setattr(Trainer, "update", step)
        monkeypatch.setattr(Trainer, "validate", lambda trainer, source: float(len(trainer.history)))
        network = export.load_trained(run / "best.safetensors").network
        arguments = ["train", photographs, "-o", str(tmp_path / "run"), *options, "--epochs", "9", "--patience", "2"]
        precision = ["--precision", "fp32"]
        told = "held-out loss has not improved for 2 rounds: stopped at epoch 3, the best is epoch 1\n"
        for more in ([], ["--resume"]):
            assert main([*arguments, *more]) == 0
            assert told in capsys.readouterr().out
        assert [card.description.split(" from ")[0] for card in ends] == ["1 epoch", "1 epoch"]
        assert checkpoint.load(tmp_path / "run" / "best.safetensors")[1]["history"][-1]["epoch"] == 1
        assert len((tmp_path / "run" / "losses.csv").read_text().splitlines()) == 4
        for patience in (["--patience", "4"], []):
            assert main(["train", photographs, "-o", str(tmp_path / "run"), "--resume", *patience, *precision]) == 0
            assert "has not improved for 4 rounds: stopped at epoch 5" in capsys.readouterr().out

    def test_other_options_do_not_resume(self, finished, capsys):
        _, arguments = finished
        assert main(["train", *arguments, "--resume", "--epochs", "3"]) == 2
        assert "the run has other settings (epochs is 3.0 and was 2.0): leave them out" in capsys.readouterr().err

    def test_another_initial_model_does_not_resume(self, finished, capsys):
        run, arguments = finished
        assert main(["train", *arguments, "--resume", "--from", str(run)]) == 2
        assert f"the run has other settings (initial is {run} and was not given" in capsys.readouterr().err

    def test_a_run_without_kept_features_learns_the_same(self, finished, unfinished, tmp_path):
        """The encoder then runs at every step; cached features are rounded to float16.

        The rate is low, because at a higher one the rounding alone makes the later steps diverge.
        """
        photographs, _, _, *options = finished[1]
        kept, computed = tmp_path / "kept", tmp_path / "computed"
        for run, cache in ((kept, []), (computed, ["--cache-gb", "0"])):
            assert main(["train", photographs, "-o", str(run), *options, "--learning-rate", "1e-6", *cache]) == 0
        assert not (computed / "features").exists()
        ours, theirs = (np.genfromtxt(run / "losses.csv", delimiter=",", names=True) for run in (computed, kept))
        np.testing.assert_allclose(ours["training"], theirs["training"], rtol=0.001)
        np.testing.assert_allclose(ours["validation"], theirs["validation"], rtol=0.001)

    def test_a_model_of_several_runs_has_the_mean_of_their_weights(self, finished, tmp_path, capsys, monkeypatch):
        best = finished[0] / "best.safetensors"
        tensors, facts = checkpoint.load(best)
        higher = [tmp_path / f"{i}.safetensors" for i in (1, 2)]
        for i, path in enumerate(higher, 1):
            moved = {name: value + i * name.startswith("ema.") for name, value in tensors.items()}
            checkpoint.save(path, moved, facts)
        one, mean = (export.load_mean([best, *others]).network.head for others in ([], higher))
        for value, found in zip(one.parameters(), mean.parameters(), strict=True):
            torch.testing.assert_close(found, value + 1)
        checkpoint.save(higher[1], tensors | {"bins.centres": tensors["bins.centres"] + 1}, facts)
        with pytest.raises(TrainingError, match=r"2.safetensors: has other bins than .*best.safetensors"):
            export.load_mean([best, higher[1]])
        assert main_of_training(["export", str(best), str(best), str(tmp_path / "model.onnx"), "--name", "mean"]) == 0
        assert Colorizer(tmp_path / "model.onnx").card.name == "mean"
        assert "MB, within" in capsys.readouterr().out
        monkeypatch.setattr(export, "TOLERANCE", -1)
        assert main_of_training(["export", str(best), str(tmp_path / "wrong.onnx")]) == 1
        assert "differs from PyTorch by" in capsys.readouterr().err
        assert not list(tmp_path.glob("*wrong*")) + list(tmp_path.glob("*.part"))


@pytest.mark.slow
class TestExport:
    @pytest.fixture
    def best(self, finished):
        return finished[0] / "best.safetensors"

    def test_cards_of_the_users_own_models_make_no_claims(self, best, tmp_path, capsys):
        assert main_of_training(["export", str(best), str(tmp_path / "mine.onnx")]) == 0
        card = Colorizer(tmp_path / "mine.onnx").card
        assert card.licence == "as its photographs allow"
        assert re.fullmatch(r"\d+ colour photographs", card.training_data)

    def test_a_new_model_names_its_weights_and_is_read_back(self, finished, best):
        """Some weights have equal values, which the order of their use could not distinguish."""
        _, weights = published_weights.read_model(finished[0] / "model.onnx")
        network = export.load_trained(best).network
        export.round_to_stored(network)
        head = network.head
        assert all(f"head.{name}" in weights for name in head.state_dict())
        part = copy.deepcopy(head)
        for value in part.parameters():
            value.data.zero_()
        published_weights.load_part(part, "head.", weights, best)
        for value, expected in zip(part.parameters(), head.parameters(), strict=True):
            torch.testing.assert_close(value, expected)

    def test_a_checkpoint_in_the_model_s_place_is_left_alone(self, best, tmp_path, capsys):
        second = tmp_path / "second.safetensors"
        shutil.copy(best, second)
        assert main_of_training(["export", str(best), str(second)]) == 2
        assert "give a name that ends in .onnx as the last argument" in capsys.readouterr().err
        assert second.read_bytes() == best.read_bytes()

    def test_a_model_that_exists_is_kept(self, best, tmp_path, capsys):
        (tmp_path / "mine.onnx").write_bytes(b"mine")
        assert main_of_training(["export", str(best), str(tmp_path / "mine.onnx")]) == 2
        assert "mine.onnx: exists: give another name, or allow it to be overwritten" in capsys.readouterr().err

    @pytest.mark.parametrize("vividness", ["-0.1", "1.5", "nan"])
    def test_vividness_is_from_0_to_1(self, vividness, best, tmp_path, capsys):
        assert main_of_training(["export", str(best), str(tmp_path / "mine.onnx"), "--vividness", vividness]) == 2
        assert "give a number from 0 to 1" in capsys.readouterr().err

    def test_a_file_that_is_not_a_checkpoint_gives_a_one_line_error(self, tmp_path, capsys):
        (tmp_path / "x.safetensors").write_bytes(b"nothing")
        assert main_of_training(["export", str(tmp_path / "x.safetensors"), str(tmp_path / "mine.onnx")]) == 1
        assert re.fullmatch(r"photochrom: .*x.safetensors: is not a checkpoint.*\n", capsys.readouterr().err)


def test_the_example_resumes_where_it_stopped(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(toy.SIZES, "tiny", toy.Size(2, 64, 1, 0.0))
    resumed = []

    def train_model(config):
        resumed.append(config.resume)
        config.run_folder.mkdir(exist_ok=True)
        (config.run_folder / CHECKPOINT).touch()
        (config.run_folder / "losses.csv").write_text("validation\n1.5\n")

    monkeypatch.setattr(toy, "train_model", train_model)
    assert [toy.train(tmp_path, "tiny") for _ in range(2)] == [1.5, 1.5]
    assert resumed == [False, True]


@pytest.mark.slow
class TestDryRun:
    @pytest.fixture
    def arguments(self, photographs, tmp_path):
        return ["train", str(photographs), "-o", str(tmp_path / "run"), "--dry-run", "--size", "64", "--batch", "8"]

    def test_a_dry_run_inspects_and_estimates_and_stops(self, arguments, tmp_path, capsys, monkeypatch):
        clock = itertools.count()  # milliseconds, so that no time is given in minutes, however busy the machine is
        monkeypatch.setattr(estimate, "time", SimpleNamespace(perf_counter=lambda: next(clock) / 1000))
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert "40 photographs, 40 usable" in said
        assert re.search(r"takes about \d+ s for features and [\d.]+ \w+ for training and \d+ s for the report", said)
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["photographs.csv"]

    def test_too_little_memory(self, arguments, monkeypatch, capsys):
        monkeypatch.setattr(estimate, "free_memory", lambda: 700_000_000)
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert re.search(r"takes about [\d.]+ GB of memory, but 0\.7 GB are free: give a batch below 8", said)

    def test_too_small_a_disk(self, arguments, monkeypatch, capsys):
        usage = shutil.disk_usage("/")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=50_000_000))
        assert main(arguments) == 1
        assert "0.1 GB are free" in capsys.readouterr().err

    def test_features_beyond_their_bound_are_not_kept(self, arguments, capsys):
        assert main([*arguments, "--cache-gb", "0.000001"]) == 0
        said = capsys.readouterr().out
        assert "more than the 0.0 GB allowed: the encoder runs at every step instead" in said
        assert "for features" not in said

    def test_a_run_without_a_checkpoint_begins_and_says_so(self, arguments, tmp_path, capsys):
        assert main([*arguments, "--resume"]) == 0
        said = capsys.readouterr().out
        assert f"there is nothing to resume in {tmp_path / 'run'}: a new run begins" in said
        assert "takes about" in said

    @pytest.mark.skipif(not hasattr(os, "killpg"), reason="processes are ended by their group")
    def test_several_processes_find_one_another(self, arguments):
        command = [sys.executable, "-m", "photochrom", *arguments, "--devices", "2"]
        environment = {k: v for k, v in os.environ.items() if "WORLD_SIZE" not in k} | {"OMP_NUM_THREADS": "1"}
        job = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            said, _ = job.communicate(timeout=600)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
        assert job.returncode == 0
        assert "steps of 8 views on each of 2" in said
        assert said.count("takes about") == 1


class TestBeginning:
    @pytest.fixture
    def arguments(self, photographs, tmp_path):
        options = ["--recipe", "default-cpu", "--batch", "4", "--dry-run"]
        return ["train", str(photographs), "-o", str(tmp_path / "run"), *options]

    @pytest.mark.parametrize("start", [[], ["--from", "scratch"]])
    def test_a_recipe_begins_with_nothing(self, start, arguments, capsys):
        assert main([*arguments, *start]) == 0
        assert "from efficientnet-lite2 and an untrained decoder" in capsys.readouterr().out

    def test_a_recipe_begins_with_a_model_that_is_named(self, arguments, monkeypatch, capsys):
        monkeypatch.setattr(pipeline, "estimate", lambda run: SimpleNamespace(costs=None))  # takes longer than the rest
        assert main([*arguments, "--from", "default"]) == 0
        assert "from default " in capsys.readouterr().out


def test_a_folder_that_is_called_like_a_model_does_not_take_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").mkdir()
    monkeypatch.setattr(initial_model, "_model", lambda path, *_: path)
    monkeypatch.setattr(initial_model, "_earlier_run", lambda folder, _: folder)
    assert load_initial_model("default", None, None) == find_model("default")
    assert load_initial_model("./default", None, None) == tmp_path / "default"


def test_a_batch_larger_than_a_recipe_takes_from_one_source_is_reported(photographs, tmp_path, monkeypatch):
    config = TrainingConfig(str(photographs), tmp_path, recipe="default-cpu", batch=8, precision="fp32")
    monkeypatch.setitem(RECIPES, "default-cpu", replace(RECIPES["default-cpu"], per_source=3))
    fabric = launch(config)
    with pytest.raises(TrainingError, match=r"a step takes 8 views, but there are 6: give a smaller batch"):
        prepare_run(config, fabric, load_initial_model("scratch", None, None), inspect_photographs(config, fabric))


@pytest.mark.slow
class TestEstimate:
    @pytest.fixture
    def prepared(self, photographs, tmp_path):
        config = TrainingConfig(str(photographs), tmp_path, initial="scratch", size=64, batch=64, precision="fp32")
        fabric, initial = launch(config), load_initial_model("scratch", None, None)
        return prepare_run(config, fabric, initial, inspect_photographs(config, fabric))

    def test_the_estimate_does_not_change_the_weights(self, prepared):
        encoder = prepared.initial.encoder
        before = copy.deepcopy(encoder.state_dict())
        estimate.estimate(prepared)
        assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())

    def test_large_batches_see_whole_pictures_too_and_each_process_has_its_memory(self, prepared, monkeypatch):
        tried = []
        monkeypatch.setattr(estimate, "process_counts", lambda config: (3, 1))
        monkeypatch.setattr(estimate, "process_memory", lambda *_: 1000)
        monkeypatch.setattr(estimate, "measure", lambda trial, *_: tried.append(trial) or Costs(0.1, 0.1, 1))
        assert estimate.estimate(prepared).memory == 3000
        (trial,) = tried
        trial.step = trial.steps - 1
        whole = torch.zeros(1, 2, trial.recipe.grid, trial.recipe.grid)
        assert trial.draw_crop()(whole).shape == whole.shape

    @pytest.mark.parametrize(("batch", "measured"), [(1, [1]), (6, [4, 6]), (64, [4, 8])])
    def test_the_memory_of_a_step_is_known_before_it_is_taken(self, batch, measured, prepared, monkeypatch):
        """Otherwise the system ends a process whose first step needs more memory than there is."""
        prepared = replace(prepared, recipe=replace(prepared.recipe, epochs=10, batch=batch))
        few, _ = estimate._few_batches(prepared)
        trainer = prepared.trainer(few)
        shown, update = [], Trainer.update
        monkeypatch.setattr(Trainer, "update", lambda *a: shown.append(len(a[2].chroma)) or update(*a))
        saved = (estimate.process_memory(trainer, few) - estimate._LIBRARIES) / estimate._OVERHEAD
        weights = 5 * sum(p.nbytes for p in trainer.head.parameters())
        trainer.step = trainer.steps - 1
        whole = estimate._saved_bytes(trainer, few.batch(np.arange(batch)), few)
        assert saved - weights == pytest.approx(whole, rel=0.02)
        assert shown == [*measured, batch]
        shown.clear()
        monkeypatch.setattr(estimate, "free_memory", lambda: estimate._LIBRARIES + weights + whole)
        with pytest.raises(TrainingError, match=f"give a batch below {batch}"):
            estimate.estimate(prepared)
        assert shown == measured

    @pytest.mark.parametrize(("step_seconds", "steps"), [(0.1, 7), (3.0, 5), (10.0, 3)])
    def test_slow_steps_are_timed_less_often(self, step_seconds, steps, monkeypatch):
        seen = []
        clock = iter(np.arange(100) * step_seconds)
        monkeypatch.setattr(estimate, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        recipe = SimpleNamespace(batch=2)
        trainer = SimpleNamespace(recipe=recipe, steps=9, head=torch.nn.Linear(1, 1), validate=lambda source: None)
        trainer.update = lambda source, batch: seen.append(trainer.step)
        trainer.max_over_processes = lambda number: number
        source = type("Few", (), {"__len__": lambda self: 2, "batch": lambda self, indices: None})()
        costs = estimate.measure(trainer, source, held_out=0)
        assert len(seen) == steps  # the first one is not timed
        assert {*seen} == {0, 8}
        assert [costs.crop, costs.whole] == pytest.approx([step_seconds, step_seconds])

    def test_the_initial_model_is_what_it_was_after_a_trainer_is_made(self, photographs, tmp_path):
        config = TrainingConfig(str(photographs), tmp_path, initial="default", size=64, batch=6)
        fabric, initial = launch(config), load_initial_model("default", None, None)
        run = prepare_run(config, fabric, initial, inspect_photographs(config, fabric))
        run = replace(run, recipe=replace(run.recipe, rebalance_lambda=1.0))
        before = initial.identity
        trainer = run.trainer(run.batches()[0])  # shifts the class weights
        assert initial.identity == before == trainer.conditions["initial model"]

    def test_the_estimate_computes_the_features_that_the_run_caches(self, prepared):
        frozen = replace(prepared, recipe=replace(prepared.recipe, stages_rate=0.0))  # features of all strides
        assert estimate.estimate(frozen).features > 0

    def test_copies_of_files_do_not_count_as_used_memory(self, tmp_path, monkeypatch):
        for name, text in {"max": "5000\n", "current": "3000\n", "stat": "anon 100\ninactive_file 1200\n"}.items():
            (tmp_path / f"memory.{name}").write_text(text)
        monkeypatch.setattr(machine, "_CGROUP", tmp_path)
        assert machine.free_memory() == 3200


def test_a_system_without_a_c_library_to_ask_keeps_its_memory_settings(monkeypatch):
    def refuse(name):
        raise TypeError("bad argument type for built-in operation")  # what Windows says

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_memory()


class TestBadInput:
    def test_the_command_names_all_recipes(self, tmp_path, capsys):
        """The command line does not import ``training`` to list them, because other verbs do not need it."""
        with pytest.raises(SystemExit):
            main(["train", "photographs", "-o", str(tmp_path / "run"), "--recipe", "none"])
        message = capsys.readouterr().err
        assert [name for name in RECIPES if repr(name) not in message] == []

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--epochs", "0", "epochs is 0.0: give a number above 0"),
            ("--epochs", "nan", "epochs is nan"),
            ("--epochs", "inf", "epochs is inf"),
            ("--epochs", "1e308", "epochs is 1e+308: give a number above 0, below a billion"),
            ("--minutes", "inf", "minutes is inf"),
            ("--batch", "-1", "batch is -1"),
            ("--size", "100", "size is 100: give a multiple of 32"),
            ("--cache-gb", "-1", "cache_gb is -1.0: give 0 or more"),
            ("--cache-gb", "nan", "cache_gb is nan"),
            ("--cache-gb", "inf", "cache_gb is inf"),
            ("--learning-rate", "0", "learning_rate is 0.0"),
            ("--seed", "-1", "seed is -1: give 0 or more"),
            ("--patience", "-1", "patience is -1: give 0 or more"),
        ],
    )
    def test_options_without_meaning(self, option, value, message, photographs, tmp_path, capsys):
        assert main(["train", str(photographs), "-o", str(tmp_path / "run"), option, value]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("own", [{"encoder": "vgg16"}, {"size": 128}])
    def test_a_published_recipe_has_its_own_start(self, own, photographs, tmp_path):
        with pytest.raises(OptionError, match="the recipe 'default' determines the encoder"):
            TrainingConfig(str(photographs), tmp_path, recipe="default", **own)

    def test_a_published_recipe_does_not_start_from_another_network(self, photographs, tmp_path):
        config = TrainingConfig(str(photographs), tmp_path, recipe="reference", initial="run")
        start = SimpleNamespace(head=torch.nn.Identity(), recipe=DEFAULT_CPU, label="run")
        with pytest.raises(
            OptionError, match="the recipe 'reference' trains vgg16, but run has efficientnet-lite2: leave out"
        ):
            config.recipe_for(start, 1000, 1)

    def test_a_published_recipe_starts_from_a_model_with_its_numbers_at_a_lower_rate(self, photographs, tmp_path):
        config = TrainingConfig(str(photographs), tmp_path, recipe="default", initial="model.onnx", epochs=0.5)
        start = SimpleNamespace(head=torch.nn.Identity(), recipe=fit_to_photographs(DEFAULT_CPU, 50, 1))
        recipe = config.recipe_for(start, 1000, 1)
        assert (recipe.epochs, recipe.per_source) == (0.5, DEFAULT.per_source)
        assert recipe.learning_rate == pytest.approx(FINE_TUNING_RATE * DEFAULT.learning_rate)

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(TrainingError, match="nothing: does not exist"):
            TrainingConfig(str(tmp_path / "nothing"), tmp_path)

    def test_no_photographs(self, tmp_path, capsys):
        (tmp_path / "photographs").mkdir()
        assert main(["train", str(tmp_path / "photographs"), "-o", str(tmp_path / "run")]) == 1
        said = capsys.readouterr().err
        assert "photographs: contains no photographs: " in said
        assert "put .jpg, " in said
        assert said.count("\n") == 1
        assert not (tmp_path / "run").exists()

    def test_two_runs_in_one_folder(self, photographs, tmp_path, capsys):
        with locked(tmp_path / "run"):
            assert main(["train", str(photographs), "-o", str(tmp_path / "run"), "--dry-run"]) == 1
            said = "run: another process is training in this folder: wait for it, or choose another folder"
            assert said in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("run", ["file", "file/run"])
    def test_a_run_that_cannot_be_written(self, run, photographs, tmp_path, capsys):
        (tmp_path / "file").write_text("in the way")
        assert main(["train", str(photographs), "-o", str(tmp_path / run)]) == 1
        assert re.search("file:? is a file, not a folder: choose another output", capsys.readouterr().err)

    @pytest.mark.parametrize("inside", ["run", "."])
    def test_a_run_among_the_photographs(self, inside, photographs, capsys):
        """The run's samples and curves would be trained on."""
        assert main(["train", str(photographs), "-o", str(photographs / inside)]) == 2
        assert "so the run's own pictures would be trained on: choose a folder outside" in capsys.readouterr().err
        assert not (photographs / "run").exists()

    def test_a_run_in_the_current_folder_is_named_after_the_folder(self, photographs, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert TrainingConfig(str(photographs), Path()).name == tmp_path.name

    def test_a_run_without_a_name(self, photographs):
        with pytest.raises(OptionError, match="/: has no name to give to the model: choose another folder"):
            TrainingConfig(str(photographs), Path("/"))

    def test_an_index_that_holds_everything_out(self, tmp_path, capsys):
        rows = [f"{i}.jpg,x,{46 * i:08x},40" for i in range(30)]
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "index.csv").write_text("\n".join(["file,source,sha1,colourfulness", *rows]))
        assert main(["train", str(tmp_path / "set"), "-o", str(tmp_path / "run")]) == 1
        assert (
            "set: all its 30 photographs are held out, and none are left to train on: add photographs"
            in capsys.readouterr().err
        )

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [["--batch", "5000"], ["-o", "/dev/null/run"]])
    def test_an_error_with_several_processes_is_reported_once(self, options, photographs, tmp_path):
        command = [sys.executable, "-m", "photochrom", "train", str(photographs), "-o", str(tmp_path / "run")]
        environment = {k: v for k, v in os.environ.items() if "WORLD_SIZE" not in k} | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "--devices", "2", *options], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 1
        assert done.stderr.count("photochrom: ") == 1
        assert "Traceback" not in done.stderr

    def test_a_device_that_is_not_there(self, photographs, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        arguments = ["train", str(photographs), "-o", str(tmp_path / "run"), "--accelerator", "cuda"]
        assert main(arguments) == 1
        expected = f"PyTorch {torch.__version__} finds no cuda device on this machine: choose another accelerator, or "
        assert expected in capsys.readouterr().err
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
        assert main([*arguments, "--devices", "2"]) == 1
        said = capsys.readouterr().err
        assert "cannot train on 2 x cuda" in said
        assert said.endswith(": choose another accelerator, or fewer devices\n")


@pytest.mark.slow
def test_the_toy_example_reaches_the_stated_loss(toy, unfinished, tmp_path):
    """This is the example that people try first, in its smaller size; another processor may differ by 10 %."""
    found = toy.train(tmp_path, "small")
    assert found == pytest.approx(toy.SIZES["small"].expected, rel=0.1)
