"""Writes the folder of a run: losses, curves, samples and checkpoints, and finally the model and its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from ..colorizer.colorizer import Colorizer
from ..errors import TrainingError
from ..models.engines import Arrays
from ..models.registry import CARD_KEY, ModelCard
from ..output_folders import needed_folder
from . import checkpoint
from .atomic_files import write, writing
from .config import BEST, CHECKPOINT, MODEL
from .data.dataset import Photograph
from .evaluation import html_report, report
from .evaluation.evaluate import evaluate, load, small_pictures, versions
from .evaluation.metrics import PairedDifference
from .export import capabilities, export, load_trained
from .networks.colorization import Network, build_network
from .preparation import REPORTED, TrainingRun
from .remaining_time import duration
from .train import Trainer

SAMPLES = 12  # number of photographs coloured after each round
TRAINED = "trained"  # name of the trained model in the report
_COLUMNS = 2  # photographs per row in the sheet of samples

History = Sequence[Mapping[str, float]]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder of a run if necessary, and lock it during the block; if it is empty then, it is removed.

    Raises:
        TrainingError: Another process trains in the folder, or it cannot be created or written.
    """
    path = folder / ".lock"
    with needed_folder(folder, TrainingError), ExitStack() as stack:
        with writing(folder):
            try:
                with suppress(NotImplementedError):  # some network file systems have no locks
                    stack.enter_context(FileLock(path, blocking=False))
            except Timeout as exc:
                remedy = "wait for it, or choose another folder"
                raise TrainingError("another process is training in this folder", path=folder, remedy=remedy) from exc
        # Removed while it is locked; a process that waits for it then opens another.
        stack.callback(path.unlink, missing_ok=True)
        yield


class RunLog:
    """Writes the progress of a run into its folder.

    Raises:
        TrainingError: The folder cannot be written.
    """

    def __init__(self, run: TrainingRun, trainer: Trainer) -> None:
        self.run, self.trainer, self.folder = run, trainer, run.config.run_folder
        with writing(self.folder / "tensorboard"):
            # Hides the events of a killed run after its last checkpoint; those of the checkpoint's own step stay.
            self.board = SummaryWriter(self.folder / "tensorboard", purge_step=trainer.step + 1)

    def note(self, row: dict[str, float], seconds_left: float) -> None:
        """Print and write the losses of a round, and write the curves, the samples and a checkpoint.

        If the round is the best so far, its EMA weights are written, too: after the checkpoint, from which
        ``check_best`` restores them if the process is killed in between.

        Args:
            row: The round's row of the history.
            seconds_left: Remaining seconds of training.

        Raises:
            TrainingError: A file cannot be written, or a photograph cannot be read or decoded.
        """
        trainer = self.trainer
        write_losses(trainer.history, self.folder / "losses.csv")
        draw_curves(trainer.history, f"{self.run.config.name}: loss over the epochs", self.folder / "curves.png")
        with writing(self.folder / "tensorboard"):
            for name, value in row.items():
                self.board.add_scalar(name, value, trainer.step)
        tqdm.write(
            f"epoch {row['epoch']:g}: loss {row['training']:.4f}, held out {row['validation']:.4f}, "
            f"{row['seconds']:.0f} s, of which {row['waited']:.1f} waiting for data"
            + (f"; about {duration(seconds_left)} left" if seconds_left > 0 else "")
        )
        self._color_samples(row["epoch"])
        self.save()
        if row is trainer.best:
            trainer.save_result(self.folder / BEST)

    def save(self) -> None:
        """Write a checkpoint from which the run can be resumed.

        Raises:
            TrainingError: The checkpoint cannot be written; the previous one is kept.
        """
        self.trainer.save(self.folder / CHECKPOINT)

    def _color_samples(self, epoch: float) -> None:
        """Colour a few held-out photographs, the same in each round, and write them as a picture."""
        run, trainer = self.run, self.trainer
        folder = self.folder / "samples"
        with writing(folder):
            folder.mkdir(exist_ok=True)
        network = build_network(
            run.initial.encoder.backbone, trainer.ema_head(), trainer.bins, run.recipe.rebalance_lambda
        )
        name = f"epoch-{epoch:07.3f}".rstrip("0").rstrip(".")
        write_samples(network, model_card(run, network, epoch), run.validation, folder / f"{name}.png")


def check_best(trainer: Trainer, path: Path) -> None:
    """Check that the best weights of a resumed run are in their file; write them if the checkpoint has them, too.

    Args:
        trainer: The resumed trainer.
        path: File with the weights of the best round.

    Raises:
        TrainingError: The file is missing, damaged or of another run, and the weights are not in the checkpoint either.
    """
    if not trainer.history:
        return
    best_step = round(trainer.best["epoch"] * trainer.steps_per_epoch)
    try:
        facts = checkpoint.load_facts(path)
        checkpoint.check_conditions(path, facts, trainer.conditions)
        is_best = facts.get("step", best_step) >= best_step  # a later one if the checkpoint is a copy made earlier
    except TrainingError:
        is_best = False
    if is_best:
        return
    if trainer.step != best_step:
        raise TrainingError(
            f"the best weights of the run, those of epoch {trainer.best['epoch']:g}, are not in this file",
            path=path,
            remedy="put a copy of it back, or train in another folder",
        )
    trainer.save_result(path)


def model_card(run: TrainingRun, network: Network, epochs: float) -> ModelCard:
    """Return the card of the run's model after a number of epochs."""
    count = len(run.training) // run.recipe.views
    return ModelCard(
        name=run.config.name,
        version="1",
        licence="as its photographs allow",
        description=f"{epochs:.3g} epoch{'' if epochs == 1 else 's'} from {run.initial.label}",
        training_data=f"{count:,} photographs of {run.config.photographs.rstrip('/').rsplit('/')[-1]}",
        working_size=run.recipe.size,
        **capabilities(network, run.initial.vividness),
    )


def finish(run: TrainingRun, epochs: float) -> Path:
    """Export the best network of a run, compare it with the initial model, and write the report.

    The mean CIEDE2000 of both models is printed, with advice if the trained one is not clearly better.

    Args:
        run: A finished run.
        epochs: Number of epochs after which the held-out loss was lowest.

    Returns:
        Path of the model file.

    Raises:
        TrainingError: The exported model's colours differ from PyTorch's, a photograph cannot be read or decoded, or a
            file cannot be written.
        ModelError, EngineError: The initial or the exported model cannot be loaded or run.
    """
    folder = run.config.run_folder
    trained = load_trained(folder / BEST, run.config.encoder_weights)
    export(trained.network, model_card(run, trained.network, epochs), folder / MODEL)
    before = run.initial.compared if isinstance(run.initial.compared, str) else "before"
    colorizers = {before: Colorizer(run.initial.compared), TRAINED: Colorizer(folder / MODEL)}
    evaluation = evaluate(colorizers, run.validation[:REPORTED])
    protocol = {"photographs of": run.config.photographs, "from": run.initial.label}
    html_report.write_page(evaluation, folder / "report.html", protocol)
    report.write_json(evaluation, folder / "report.json", protocol)
    errors = {kind: evaluation.summary(kind).ciede2000 for kind in ("grey", before, TRAINED)}
    figures = ", ".join(f"{kind} {report.cell(error, '.2f')}" for kind, error in errors.items())
    print(f"CIEDE2000 on {len(evaluation.photographs)} held-out photographs (lower is better): {figures}")
    if line := advice(evaluation.differences()[TRAINED], run.recipe.size, colorizers[before].card.working_size):
        print(line)
    return folder / MODEL


def advice(change: PairedDifference, size: int, size_before: int) -> str:
    """Return a line for a run whose model is not clearly better than the one before, or an empty text.

    Args:
        change: Difference of the trained model's CIEDE2000 from that of the model before.
        size: Side of the run's squares, in pixels.
        size_before: Working size of the model before, in pixels.
    """
    if change.is_clear and change.ciede2000 < 0:
        return ""
    result = f"{'not clearly' if change.ciede2000 < 0 else 'no'} better ({change})"
    larger = f", in squares of {size_before} pixels" if size < size_before else ""
    return f"training has made the model {result}: keep the one before, or train on more photographs{larger}"


class TorchEngine:
    """Engine that runs a network in PyTorch, so that samples are coloured like any other photograph."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        self.network = network
        self.metadata = {CARD_KEY: card.to_json()}

    @torch.no_grad()
    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the network; see ``models.engines.Engine.run``."""
        output = self.network(*(torch.from_numpy(inputs[name]) for name in self.network.inputs))
        outputs = output if isinstance(output, tuple) else (output,)
        return {name: value.numpy() for name, value in zip(self.network.outputs, outputs, strict=True)}


def write_samples(network: Network, card: ModelCard, photographs: Sequence[Photograph], path: Path) -> None:
    """Write a PNG with the grey, the coloured and the true picture of the first ``SAMPLES`` photographs, side by side.

    Raises:
        TrainingError: A photograph cannot be read or decoded, or the file cannot be written.
        ModelError: The network's output contradicts the card.
    """
    colorizer = Colorizer(engine=TorchEngine(network, card))
    shown = [versions({TRAINED: colorizer}, load(photograph)) for photograph in photographs[:SAMPLES]]
    report.write_sheet([small_pictures(pictures) for pictures in shown], path, _COLUMNS)


def write_losses(history: History, path: Path) -> None:
    """Write the history, which must have a row, as a CSV file.

    Raises:
        TrainingError: The file cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write(path, text.getvalue().encode())


def draw_curves(history: History, title: str, path: Path) -> None:
    """Draw training and validation loss over the epochs, as a PNG.

    Raises:
        TrainingError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    axes.set_title(title, parse_math=False)  # otherwise a $ in the run's name would begin a formula
    for name in ("training", "validation"):
        axes.plot([h["epoch"] for h in history], [h[name] for h in history], ".-", label=name)
    axes.legend()
    axes.grid(alpha=0.3)
    png = io.BytesIO()
    figure.savefig(png, dpi=120)
    write(path, png.getvalue())
