"""``TrainingConfig``: the user's options of a training run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..batch.remote_files import is_remote
from ..errors import OptionError, TrainingError
from ..json_text import parse_json
from . import checkpoint
from .atomic_files import write
from .initial_model import INITIAL_MODELS, InitialModel
from .networks.encoders import ENCODERS
from .recipes import RECIPES, Recipe, at_size, fine_tuning, fit_to_photographs

SETTINGS = "settings.json"
CHECKPOINT, BEST, MODEL = "checkpoint.safetensors", "best.safetensors", "model.onnx"
PATIENCE = 10  # rounds without a better held-out loss after which a run ends

PRECISIONS = ("auto", "bf16", "fp32")
ACCELERATORS = ("cpu", "cuda", "mps")

# Settings that a resumed run takes over, with their types. They determine the result, except the patience, which may
# change: it only decides when the run ends. The other options may change, too.
_KEPT: dict[str, type | tuple[type, ...]] = {
    "initial": str, "encoder": str, "recipe": str, "epochs": (float, int), "size": int, "batch": int,
    "learning_rate": (float, int), "seed": int, "patience": int,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """Options of a training run; those that are None are chosen to suit the photographs and the machine.

    Raises:
        OptionError: An option is invalid, or conflicts with another.
        TrainingError: The folder or tar shard of photographs does not exist.
    """

    photographs: str
    """Path or address of a folder of photographs, or of a tar shard."""
    run_folder: Path
    """Folder of the run; the model is named after it."""
    initial: str | None = None
    """Name of the initial model (see ``load_initial_model``); None for the embedded model, or for an untrained one if a
    recipe is given."""
    encoder: str | None = None
    """Name of the encoder of an untrained model (see ``networks.encoders.ENCODERS``); None for the default model's."""
    encoder_weights: Path | None = None
    """Local file with VGG16's weights; None to download them when needed."""
    recipe: str | None = None
    """Name of a published model's recipe (see ``recipes.RECIPES``), to train with all of its settings. Training starts
    from scratch unless ``initial`` is given."""
    epochs: float | None = None
    """Number of times that each view is shown."""
    size: int | None = None
    """Side of the training squares, in pixels; a multiple of 32, at least 64."""
    batch: int | None = None
    """Number of views in a step of each process."""
    learning_rate: float | None = None
    """Learning rate at the end of the warm-up."""
    seed: int | None = None
    """Seed of the order of the views, of the crops, and of the simulated hints; use a new one for a run that continues
    another."""
    patience: int | None = None
    """Number of rounds without a better held-out loss after which the run ends; 0 for no early stopping. See
    ``rounds_of_patience``."""
    minutes: float = 10.0
    """Maximum minutes between two checkpoints."""
    cache_gb: float | None = None
    """Maximum disk space for cached features, in GB; 0 to cache none."""
    precision: str = "auto"
    """``bf16``, ``fp32``, or ``auto`` for bf16 if the processor supports it."""
    accelerator: str = "cpu"
    """``cpu``, ``cuda`` or ``mps``."""
    devices: int | None = None
    """Number of processes on each machine."""
    nodes: int | None = None
    """Number of machines."""
    resume: bool = False
    """Whether to resume the run in ``run_folder``; if there is none, a new run begins."""
    dry_run: bool = False
    """Whether to end after the estimate, before training."""

    def __post_init__(self) -> None:
        self._check_numbers()
        choices = {"recipe": RECIPES, "encoder": ENCODERS, "precision": PRECISIONS, "accelerator": ACCELERATORS}
        for name, known in choices.items():
            if (value := getattr(self, name)) is not None and value not in known:
                raise OptionError(f"{name} is {value!r}", remedy=f"choose one of {', '.join(known)}")
        if self.recipe is not None and (self.encoder is not None or self.size is not None):
            raise OptionError(
                f"the recipe {self.recipe!r} determines the encoder and the size", remedy="leave out encoder and size"
            )
        if not self.run_folder.resolve().name:
            raise OptionError("has no name to give to the model", path=self.run_folder, remedy="choose another folder")
        if not self.dry_run:
            self._check_folder()
        if not is_remote(self.photographs) and not Path(self.photographs).exists():
            raise TrainingError(
                "does not exist", path=self.photographs, remedy="give a folder of photographs or a tar shard"
            )

    def _check_folder(self) -> None:
        """Check that the run does not replace the weights or the model of another."""
        found = [name for name in (CHECKPOINT, BEST, MODEL) if (self.run_folder / name).exists()]
        if found and not self.resume:
            raise OptionError(
                "already contains a run",
                path=self.run_folder,
                remedy="add resume=True to resume it, or choose another folder",
            )
        if found and CHECKPOINT not in found:
            raise OptionError(
                f"contains {found[0]}, but no {CHECKPOINT} from which the run could be resumed",
                path=self.run_folder,
                remedy=self.without_checkpoint,
            )

    def _check_numbers(self) -> None:
        for name in ("epochs", "batch", "learning_rate", "minutes", "devices", "nodes"):
            if (value := getattr(self, name)) is not None and not 0 < value < 1e9:
                raise OptionError(f"{name} is {value}", remedy="give a number above 0, below a billion")
        if self.size is not None and (self.size < 64 or self.size % 32):
            raise OptionError(f"size is {self.size}", remedy="give a multiple of 32, at least 64")
        for name in ("cache_gb", "seed", "patience"):
            if (value := getattr(self, name)) is not None and not 0 <= value < math.inf:
                raise OptionError(f"{name} is {value}", remedy="give 0 or more")

    def resumed(self) -> TrainingConfig:
        """Return the configuration with missing settings taken from the run that is resumed.

        It is returned unchanged if ``resume`` is False, or if the run's folder contains no settings.

        Raises:
            OptionError: Given settings, except the patience, differ from the run's; the message names each with both
                values.
            TrainingError: The run's settings cannot be read.
        """
        path = self.run_folder / SETTINGS
        if not self.resume or not path.exists():
            return self
        remedy = "remove it, and give the run's settings"
        try:
            facts = dict(parse_json(path.read_text()))
        except (OSError, ValueError, TypeError) as exc:
            raise TrainingError("cannot be read", path=path, remedy=remedy) from exc
        recorded = {name: value for name, value in facts.items() if name in _KEPT}
        for name, value in recorded.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, _KEPT[name])):
                raise TrainingError(f"{name} is {value!r:.60}", path=path, remedy=remedy)
        given = {name: value for name in recorded if (value := getattr(self, name)) is not None}
        changes = [
            f"{name} is {value} and was {'not given' if recorded[name] is None else recorded[name]}"
            for name, value in given.items()
            if name != "patience" and _absolute(name, value) != _absolute(name, recorded[name])
        ]
        if changes:
            raise OptionError(
                f"the run has other settings ({', '.join(changes)})",
                path=self.run_folder,
                remedy=f"leave them out (if {SETTINGS} was edited, correct it), or choose another folder",
            )
        try:
            return replace(self, **recorded | ({"patience": self.patience} if "patience" in given else {}))
        except OptionError as exc:
            raise TrainingError(exc.problem, path=path, remedy=remedy) from exc

    def note_settings(self) -> None:
        """Write the run's settings to its folder, where ``resumed`` finds them.

        Raises:
            TrainingError: The file cannot be written.
        """
        kept = {name: _absolute(name, getattr(self, name)) for name in _KEPT}
        write(self.run_folder / SETTINGS, (json.dumps(kept, indent=1) + "\n").encode())

    def check_resumed(self, conditions: Mapping[str, object]) -> bool:
        """Return whether there is a run to resume, after checking that its conditions are the given ones.

        Raises:
            TrainingError: The checkpoint is damaged, or belongs to a run with other conditions.
        """
        latest = self.run_folder / CHECKPOINT
        if not (self.resume and latest.exists()):
            return False
        facts = checkpoint.load_facts(latest, self.without_checkpoint)
        checkpoint.check_conditions(latest, facts, conditions)
        return True

    @property
    def without_checkpoint(self) -> str:
        """Advice for a run whose checkpoint is missing or damaged."""
        if not (self.run_folder / BEST).exists():
            return "put a copy of it back, or choose another folder"
        return (
            f'put a copy of it back, or start from its best weights in another folder, with initial="{self.run_folder}"'
        )

    @property
    def name(self) -> str:
        """Name of the run and of its model: that of its folder."""
        return self.run_folder.resolve().name

    def recipe_for(self, initial: InitialModel, photographs: int, world_size: int) -> Recipe:
        """Return the recipe of the run: the configured or the initial model's, adapted to the options.

        Args:
            initial: The model to start from.
            photographs: Number of training photographs.
            world_size: Number of processes that train together.

        Raises:
            OptionError: The recipe named by ``recipe`` is for another network than the initial model's.
        """
        if self.recipe is not None:
            recipe = RECIPES[self.recipe] if initial.head is None else fine_tuning(RECIPES[self.recipe])
            if recipe.encoder != initial.recipe.encoder:  # the encoder also determines the kind of decoder
                raise OptionError(
                    f"the recipe {self.recipe!r} trains {recipe.encoder}, but {initial.label} has "
                    f"{initial.recipe.encoder}",
                    remedy="leave out the recipe or the initial model",
                )
        else:
            size = self.size or initial.recipe.size
            recipe = fit_to_photographs(at_size(initial.recipe, size), photographs, world_size)
        given = {name: getattr(self, name) for name in ("epochs", "batch", "learning_rate", "seed")}
        return replace(recipe, **{name: value for name, value in given.items() if value is not None})

    def rounds_of_patience(self) -> int:
        """Return the patience in rounds: as configured, else 0 (no early stopping) with a recipe, else ``PATIENCE``."""
        if self.patience is not None:
            return self.patience
        return PATIENCE if self.recipe is None else 0


def _absolute(name: str, value: object) -> object:
    """Return the value of a setting; a path of an initial model is made absolute, to be valid in other folders."""
    if name != "initial" or value is None or value in INITIAL_MODELS or not Path(str(value)).exists():
        return value
    return str(Path(str(value)).resolve())
