"""Teaching the encoder grey pictures: what is taught, what stays, and that training goes on from it."""

import shutil
import signal
from dataclasses import replace

import pytest
import torch

from photochrom import OptionError, TrainingError
from photochrom.training import checkpoint, distillation
from photochrom.training.__main__ import main
from photochrom.training.config import BEST, CHECKPOINT, TrainingConfig
from photochrom.training.data.curation import inspect
from photochrom.training.data.dataset import split, views
from photochrom.training.distillation import distill, verdict
from photochrom.training.distillation_trainer import DistillationTrainer, Pairs
from photochrom.training.export import load_trained
from photochrom.training.initial_model import load_initial_model
from photochrom.training.networks.encoders import load_encoder, stored_weights
from photochrom.training.networks.feature_distillation import FeatureDistillation, Figures, unexplained
from photochrom.training.preparation import prepare_run
from photochrom.training.processes import accelerators, launch
from photochrom.training.stop_signals import Stopped
from tests.helpers.other_device import OtherDevice
from tests.helpers.training_runs import toy


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return a folder of 40 crops of 96 pixels."""
    folder = tmp_path_factory.mktemp("photographs")
    toy().write_crops(folder, 40, 96)
    return folder


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Make the command's steps small."""
    monkeypatch.setattr(distillation, "BATCH", 4)
    monkeypatch.setattr(distillation, "SIZE", 64)


def config(photographs, start, **options):
    return TrainingConfig(str(photographs), start, precision="fp32", **options)


def tensors(start):
    return checkpoint.load(start / BEST)[0]


def stages(head):
    return {f"ema.{name}": value for name, value in head.state_dict().items() if name.startswith("stages.")}


def untaught_model(*_):
    """Load the default model with the encoder that was trained on ImageNet, since its own has been taught."""
    initial = load_initial_model("default", None, None)
    initial.encoder.load_state_dict(load_encoder("efficientnet-lite2").state_dict())
    initial.head.stages.load_state_dict(initial.encoder.stages.state_dict())
    return initial


@pytest.fixture(scope="module")
def taught(photographs, tmp_path_factory):
    """Return the folder of a model whose encoder was taught, and the figures before and after."""
    start = tmp_path_factory.mktemp("runs") / "taught"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distillation, "load_initial_model", untaught_model)
        return start, *distill(config(photographs, start, batch=8, size=192), 160)


@pytest.mark.slow
class TestTaughtModel:
    def test_the_features_come_nearer_to_those_of_the_picture_in_colour(self, taught):
        _, before, after = taught
        assert all(0 < share < 1 for share in before.unexplained)
        assert after.unexplained[0] < 0.98 * before.unexplained[0]
        assert after.unexplained[1] < 0.95 * before.unexplained[1]
        assert after.unexplained[2] < 0.7 * before.unexplained[2]
        for one, other in zip(before.variances, after.variances, strict=True):
            assert torch.equal(one, other)  # the teacher's

    def test_the_encoder_changes_except_its_depthwise_kernels(self, taught):
        before, after = untaught_model(), tensors(taught[0])
        encoder = stages(before.head) | stored_weights(before.encoder)
        decoder = {f"ema.{name}": value for name, value in before.head.state_dict().items()}
        changed = {name for name, value in (encoder | decoder).items() if not torch.equal(value, after[name])}
        depthwise = {name for name in encoder if name.endswith("depthwise.weight")}
        assert len(depthwise) == 21
        assert changed == encoder.keys() - depthwise

    def test_a_run_starts_from_the_taught_encoder(self, taught, photographs, tmp_path):
        start = taught[0]
        options = config(photographs, tmp_path / "run", recipe="broad", initial=str(start), batch=4)
        initial = load_initial_model(str(start), None, None)
        run = prepare_run(options, launch(options), initial, inspect(photographs, tmp_path / "photographs.csv"))
        expected = {name: value for name, value in tensors(start).items() if name.startswith("ema.stages.")}
        frozen = {f"ema.stages.{name}": value for name, value in run.backbone.stages.state_dict().items()}
        backbone = checkpoint.under("backbone.", tensors(start))
        assert backbone
        assert all(torch.equal(run.backbone.backbone.state_dict()[name], value) for name, value in backbone.items())
        for found in (frozen, stages(run._head(initial.bins))):
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[name], value) for name, value in expected.items())
        assert run.recipe.size == 384

    def test_the_colours_keep_their_bins_and_weights(self, taught):
        initial, after = (load_initial_model(name, None, None) for name in ("default", str(taught[0])))
        assert torch.equal(initial.bins.centres, after.bins.centres)
        assert torch.equal(initial.head.decoder.classify.bias, after.head.decoder.classify.bias)
        assert load_trained(taught[0] / BEST).photographs == 36  # of which some were shown once less than others


@pytest.mark.slow
def test_a_seed_determines_the_result(photographs, tmp_path):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        distill(config(photographs, tmp_path / name, batch=4, size=64, seed=seed), 8)
    one, same, other = (tensors(tmp_path / name) for name in ("one", "same", "other"))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 80])
def test_held_out_photographs_are_never_learnt_from(count, photographs, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(distillation, "fit", lambda _, taught, *others: shown.extend(taught.views))
    distill(config(photographs, tmp_path / "start", batch=4), count)
    training, _ = split(inspect(photographs, tmp_path / "photographs.csv").photographs)
    assert len(set(shown)) == count
    assert {view.photograph for view in shown} <= set(training)
    assert all(view.number > 0 for view in shown)  # random squares


@pytest.mark.slow
def test_networks_pictures_variances_and_state_are_on_the_accelerator(photographs, tmp_path, monkeypatch):
    options = config(photographs, tmp_path / "start", batch=4)
    expected = distill(replace(options, run_folder=tmp_path / "plain"), 12)
    with monkeypatch.context() as patch, OtherDevice(patch) as device:
        stop = once(lambda trainer: press() or check_moved(trainer, device), DistillationTrainer.save)
        patch.setattr(DistillationTrainer, "save", stop)
        with pytest.raises(Stopped, match="step 2 of 3"):
            distill(replace(options, minutes=1e-9), 12)
        found = distill(replace(options, resume=True), 12)
    assert found[1].unexplained == expected[1].unexplained
    assert (tmp_path / "start" / BEST).read_bytes() == (tmp_path / "plain" / BEST).read_bytes()


def check_moved(trainer, device):
    statistics = [value for state in trainer.optimizer.state.values() for value in state.values() if value.ndim]
    networks = (trainer.student, trainer.distillation.teacher)
    tensors = [*statistics, *trainer.ema.values(), *(p for network in networks for p in network.parameters())]
    assert statistics
    assert all(map(device.holds, tensors))


def press(number=signal.SIGINT):
    """Call the handler of a signal, as the system does when it arrives."""
    signal.getsignal(number)(number, None)


def once(act, function):
    """Return a function that calls another, after calling ``act`` with the first argument the first time."""
    acts = [act]

    def call(*arguments):
        if acts:
            acts.pop()(arguments[0])
        return function(*arguments)

    return call


def test_the_fastest_accelerator_comes_first(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerators() == ["mps", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert accelerators() == ["cuda", "mps", "cpu"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_decode_the_same_pairs_as_threads(photographs):
    found = views(sorted(inspect(photographs, photographs.parent / "photographs.csv").photographs, key=str)[:5], 2)
    indices = [torch.tensor(part).numpy() for part in ([0, 7, 3], [9, 2, 1])]
    by_threads, by_processes = (list(Pairs(found, 64, n).stream(iter(indices))) for n in (0, 1))
    for one, other in zip(by_threads, by_processes, strict=True):
        assert all(map(torch.equal, one, other))
        assert [tuple(t.shape) for t in one] == [(3, 3, 64, 64), (3, 1, 64, 64)]


def test_features_that_explain_nothing_have_a_share_of_one():
    """The mean of the teacher's features, the best answer that does not depend on the picture, explains nothing."""
    torch.manual_seed(0)
    true = torch.randn(10_000, 3) * torch.tensor([1.0, 5.0, 2.0]) + 3
    errors = (true - true.mean(0)).square().mean(0)
    assert float(unexplained(errors, true.var(0))) == pytest.approx(1, abs=0.01)
    assert float(unexplained(0 * errors, true.var(0))) == 0


@pytest.mark.parametrize(
    ("after", "is_told"),
    [([0.2, 0.2, 0.2], False), ([0.2, 0.1, 0.4], True), ([0.2, 0.3, 0.1], True), ([0.3, 0.2, 0.2], True)],
)
def test_teaching_that_gains_nothing_at_a_stride_says_so(after, is_told):
    def figures(shares):
        return Figures([torch.full((4,), 1.001 * share) for share in shares], [torch.ones(4)] * 3, 0.5)

    told = verdict(figures([0.3, 0.25, 0.3]), figures(after))
    assert ("more photographs" in told) == is_told
    assert bool(told) == is_told


@pytest.fixture(scope="module")
def stopped(photographs, tmp_path_factory):
    """Return the folder of a command that was stopped at step 2 of 4."""
    start = tmp_path_factory.mktemp("stopped") / "start"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DistillationTrainer, "save", once(lambda _: press(signal.SIGTERM), DistillationTrainer.save))
        with pytest.raises(Stopped, match="stopped at step 2 of 4: go on with resume=True") as told:
            distill(config(photographs, start, batch=4, size=64, minutes=1e-9), 16)
    assert told.value.status == 128 + signal.SIGTERM
    return start


@pytest.mark.slow
class TestResumed:
    def test_a_stopped_command_goes_on_to_the_same_bytes(self, stopped, photographs, tmp_path, monkeypatch):
        whole, resumed, saved = tmp_path / "whole", tmp_path / "resumed", []
        shutil.copytree(stopped, resumed)
        save = DistillationTrainer.save
        monkeypatch.setattr(DistillationTrainer, "save", lambda *a: saved.append(a[0].step) or save(*a))
        for folder in (whole, resumed, resumed):  # the last one has nothing left to learn
            options = config(photographs, folder, batch=4, size=64, resume=folder == resumed)
            distill(options, 16)
            assert (folder / BEST).read_bytes() == (whole / BEST).read_bytes()
        assert (resumed / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
        assert saved == [4, 4]

    @pytest.mark.parametrize(
        ("changes", "count", "said"),
        [
            ({"learning_rate": 5e-5}, 16, r"learning_rate \(6e-05 then, 5e-05 now\)\): give the same"),
            ({"seed": 1}, 16, r"seed \(0 then, 1 now\), set of photographs"),
            ({"size": 96}, 16, r"side of the squares \(64 then, 96 now\)"),
            ({}, 20, r"set of photographs \(16 views, sha256 \w+ then, 20 views, sha256 \w+ now\)"),
        ],
    )
    def test_other_options_are_refused(self, changes, count, said, stopped, photographs):
        options = config(photographs, stopped, **{"batch": 4, "size": 64, "resume": True} | changes)
        with pytest.raises(TrainingError, match="belongs to a run with other options .*" + said):
            distill(options, count)

    def test_other_photographs_are_refused(self, stopped, photographs, tmp_path):
        shutil.copytree(photographs, tmp_path / "others")
        min((tmp_path / "others").iterdir()).unlink()
        with pytest.raises(TrainingError, match=r"other options \(set of photographs \(16 views, sha256 \w+ then, 16"):
            distill(config(tmp_path / "others", stopped, batch=4, size=64, resume=True), 16)

    def test_another_model_is_refused(self, stopped, photographs, monkeypatch):
        monkeypatch.setattr(distillation, "load_initial_model", untaught_model)
        with pytest.raises(TrainingError, match=r"other options \(initial model \(.*sha256 \w+ then"):
            distill(config(photographs, stopped, batch=4, size=64, resume=True), 16)


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_the_command_says_how_to_go_on(photographs, tmp_path, monkeypatch, capsys):
    start = tmp_path / "start"
    command = ["distillation", str(photographs), str(start), "--views", "8", "--accelerator", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(FeatureDistillation, "loss", staticmethod(once(lambda _: press(), FeatureDistillation.loss)))
        assert main([*command, "--resume"]) == 130
    said = capsys.readouterr()
    assert f"there is nothing to resume in {start}: a new run begins" in said.out
    assert "photochrom: stopped at step 1 of 2: go on with --resume\n" in said.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert {path.name for path in start.iterdir()} == {"photographs.csv", CHECKPOINT}
    assert main(command) == 2
    assert f"{start}: already contains a run: add --resume" in capsys.readouterr().err
    monkeypatch.setattr(distillation, "verdict", lambda *_: "")  # eight views may gain something or not
    assert main([*command, "--resume"]) == 0
    counts, sets, head, *shares, agreement = capsys.readouterr().out.splitlines()
    assert counts.endswith("40 photographs, 40 usable")
    assert sets == "36 to learn from, 4 to check with"
    assert head.split() == ["held-out", "photographs", "before", "after"]
    assert [line.split()[:-2] for line in shares] == [["unexplained", "at", "stride", n] for n in ("8", "16", "32")]
    assert agreement.startswith("same ImageNet class")


@pytest.mark.slow
class TestDestroyedFeatures:
    def test_features_that_are_constant_end_it(self, photographs, tmp_path, monkeypatch):
        compare = FeatureDistillation.compare

        def blind(distillation, *pictures):
            for name, value in distillation.student["stages"].stages[-1].named_parameters():
                value.data.fill_(-100.0 if name.endswith("expand.bias") else 0.0)
            return compare(distillation, *pictures)

        monkeypatch.setattr(FeatureDistillation, "compare", blind)
        with pytest.raises(TrainingError, match=r"stride 32 are the same for all pictures at step 1: .* a lower"):
            distill(config(photographs, tmp_path / "start"), 8)
        assert not (tmp_path / "start" / BEST).exists()

    def test_a_loss_that_is_not_a_number_ends_it(self, photographs, tmp_path, monkeypatch):
        monkeypatch.setattr(FeatureDistillation, "loss", lambda *_: torch.tensor(torch.nan, requires_grad=True))
        with pytest.raises(TrainingError, match="not a number at step 1: start in another folder with a lower"):
            distill(config(photographs, tmp_path / "start"), 8)
        assert not (tmp_path / "start" / BEST).exists()

    def test_a_finite_loss_with_a_gradient_that_is_not_ends_it(self, photographs, tmp_path, monkeypatch):
        loss = FeatureDistillation.loss
        spoiled = staticmethod(lambda *arguments: (found := loss(*arguments)) + (0 * found).sqrt())
        monkeypatch.setattr(FeatureDistillation, "loss", spoiled)
        with pytest.raises(TrainingError, match="not a number at step 1: start in another folder with a lower"):
            distill(config(photographs, tmp_path / "start"), 8)
        assert not (tmp_path / "start" / BEST).exists()


class TestRefused:
    def test_a_folder_with_a_model(self, photographs, tmp_path, capsys):
        (tmp_path / BEST).write_bytes(b"precious")
        command = ["distillation", str(photographs), str(tmp_path)]
        for options, said in (([], "add --resume"), (["--resume"], f"in another folder, with --from {tmp_path}")):
            assert main([*command, *options]) == 2
            assert said in capsys.readouterr().err
        assert (tmp_path / BEST).read_bytes() == b"precious"

    def test_a_file(self, photographs, tmp_path, capsys):
        (tmp_path / "start").write_bytes(b"precious")
        assert main(["distillation", str(photographs), str(tmp_path / "start")]) == 1
        assert capsys.readouterr().err.startswith(f"photochrom: {tmp_path / 'start'}: ")
        assert (tmp_path / "start").read_bytes() == b"precious"

    @pytest.mark.parametrize("several", [{"devices": 2}, {"nodes": 2}])
    def test_several_processes(self, several, photographs, tmp_path):
        with pytest.raises(OptionError, match="an encoder is taught by one process: start one"):
            distill(config(photographs, tmp_path / "start", **several))

    def test_an_accelerator_that_is_missing(self, photographs, tmp_path, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(TrainingError, match="finds no cuda device on this machine"):
            distill(config(photographs, tmp_path / "start", accelerator="cuda"))

    @pytest.mark.parametrize("name", ["reference", "scratch"])
    def test_models_without_stages_to_teach(self, name, photographs, tmp_path):
        with pytest.raises(OptionError, match=f"{name} is not a trained model with an EfficientNet-Lite encoder"):
            distill(config(photographs, tmp_path / "start", initial=name))
        assert not (tmp_path / "start").exists()

    @pytest.mark.parametrize("count", [-1, 3, 10**12])
    def test_numbers_of_views(self, count, photographs, tmp_path):
        with pytest.raises(OptionError, match=f"the number of views is {count}: give a number from 4 on"):
            distill(config(photographs, tmp_path / "start"), count)

    def test_a_missing_folder_of_photographs(self, tmp_path, capsys):
        assert main(["distillation", str(tmp_path / "none"), str(tmp_path / "start")]) == 1
        assert f"{tmp_path / 'none'}: does not exist" in capsys.readouterr().err
