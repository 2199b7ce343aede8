"""What a run leaves in its folder: losses, curves, samples, checkpoints on its way; model and report at its end."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from ..atomic import new_path
from ..colorizer.colorizer import Colorizer
from ..models.registry import ModelCard
from .config import BEST, CHECKPOINT, MODEL
from .evaluation import evaluate, report
from .evaluation import html_report as page
from .export import Network, abilities, build_network, export, load_trained
from .files import writing
from .run import Work
from .samples import draw_curves, write_losses, write_samples
from .trainer import Trainer

REPORTED = 200  # held-out photographs that the report measures
AFTER = "trained"


class Log:
    """Writes down what a run has come to."""

    def __init__(self, work: Work, trainer: Trainer) -> None:
        self.work, self.trainer, self.run = work, trainer, work.plan.run
        with writing(self.run / "tensorboard"):
            self.board = SummaryWriter(self.run / "tensorboard", purge_step=trainer.step)

    def note(self, row: dict[str, float]) -> None:
        """Write the losses of a round down, draw the curves, colour the samples, and keep the best so far.

        Raises:
            TrainingError: the disk is full.
        """
        trainer = self.trainer
        write_losses(trainer.history, self.run / "losses.csv")
        draw_curves(trainer.history, f"{self.run.name}: loss over the epochs", self.run / "curves.png")
        with writing(self.run / "tensorboard"):
            for name, value in row.items():
                self.board.add_scalar(name, value, trainer.step)
        tqdm.write(
            f"epoch {row['epoch']:g}: loss {row['training']:.4f}, held out {row['validation']:.4f}, "
            f"{row['seconds']:.0f} s, of which {row['waited']:.1f} waiting for data"
        )
        self._color_samples(row["epoch"])
        if row is trainer.best:
            trainer.save_result(self.run / BEST)
        self.save()

    def save(self) -> None:
        """A checkpoint to go on from.

        Raises:
            TrainingError: the disk is full; the last checkpoint is left as it was.
        """
        self.trainer.save(self.run / CHECKPOINT)

    def _color_samples(self, epoch: float) -> None:
        """Of the same held-out photographs each time."""
        work, trainer = self.work, self.trainer
        folder = self.run / "samples"
        with writing(folder):
            folder.mkdir(exist_ok=True)
        network = build_network(work.start.encoder.early, trainer.averaged(), trainer.bins, work.recipe)
        name = f"epoch-{epoch:07.3f}".rstrip("0").rstrip(".")
        write_samples(network, card(work, network, epoch), work.validation, folder / f"{name}.png")


def card(work: Work, network: Network, epochs: float) -> ModelCard:
    """What the model says about itself, after so many epochs."""
    count = len(work.training) // work.recipe.views
    return ModelCard(
        name=work.plan.run.name,
        version="1",
        licence="as its photographs allow",
        description=f"{epochs:.3g} epoch{'' if epochs == 1 else 's'} from {work.start.label}",
        training_data=f"{count:,} photographs of {work.plan.photographs.rstrip('/').rsplit('/')[-1]}",
        working_size=work.recipe.size,
        **abilities(network, work.start.vividness),
    )


def finish(work: Work, epochs: float) -> Path:
    """Export the best network of a run, and measure it beside what the run started from.

    Args:
        work: what was learnt.
        epochs: after which the network was the best.

    Returns:
        The model file.

    Raises:
        TrainingError: the export does not give what PyTorch gives, or the disk is full.
    """
    run = work.plan.run
    trained = load_trained(run / BEST, work.start.encoder)
    with writing(run / MODEL), new_path(run / MODEL, overwrite=True, suffix=".onnx") as part:
        export(trained, card(work, trained.network, epochs), part)
    before = work.start.compared if isinstance(work.start.compared, str) else "before"
    colorizers = {before: Colorizer(work.start.compared), AFTER: Colorizer(run / MODEL)}
    found = evaluate.evaluate(colorizers, work.validation[:REPORTED])
    protocol = {"photographs of": work.plan.photographs, "from": work.start.label}
    page.write_page(found, run / "report.html", protocol)
    report.write_json(found, run / "report.json", protocol)
    figures = ", ".join(f"{kind} {found.summary(kind).ciede2000:.2f}" for kind in ("grey", before, AFTER))
    print(f"CIEDE2000 on {len(found.photographs)} held-out photographs: {figures}")
    return run / MODEL
