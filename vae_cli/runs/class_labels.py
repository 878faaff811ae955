"""The classes that a run knows: by number, by name, by the folder of a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vae_cli.config.conditioning import ConditioningConfig
from vae_cli.data.listing import SPLIT_FOLDERS
from vae_cli.data_spec import DataSpec, class_numbers
from vae_cli.errors import ConfigError, DataError
from vae_cli.text import printable


class ClassLabels:
    """The classes of a run's images, and whether its model is conditioned on them.

    Args:
        run: the run's folder, for messages.
        spec: of its images.
        conditioning: of its model.
    """

    def __init__(
        self, run: str, spec: DataSpec, conditioning: ConditioningConfig
    ) -> None:
        self._run = run
        self._spec = spec
        self._conditioning = conditioning

    def number(self, label: int | str) -> int:
        """Return the number of a class that the model was trained on.

        Args:
            label: its number or its name.

        Raises:
            ConfigError: it has no labels, or not this one.
        """
        if not self._conditioning.on_labels:
            raise ConfigError(
                f"label={label} needs a model with conditioning=label; {self._run} "
                f"was trained with conditioning={self._conditioning.name}.",
                "train one: vae-train conditioning=label",
            )
        having, names = self._spec.labels or (), self._spec.class_names
        try:
            return class_numbers([label], having, names, "label")[0]
        except DataError as error:
            raise ConfigError(
                f"label={label} is not a label of {self._run}.",
                self.choice(str(label)),
            ) from error

    def check(self, label: int | str | None) -> None:
        """Refuse a class that the run doesn't know; None passes.

        Raises:
            ConfigError: see `number`.
        """
        if label is not None:
            self.number(label)

    def of_each(self, label: Any, count: int) -> np.ndarray:
        """Return the label of each of so many images, int64 [count].

        Args:
            label: number or name of the class of all, or of each.
            count: of the images.

        Raises:
            ConfigError: not one or one for each, or a label there isn't.
        """
        labels = np.asarray(label)
        if labels.shape not in ((), (count,)) or labels.dtype.kind not in "iuU":
            raise ConfigError(
                f"label={label} must be one class number or name, or one for each of "
                f"the {count} images.",
                self.choice() if self._conditioning.on_labels else "",
            )
        unique, place = np.unique(labels, return_inverse=True)
        numbers = [self.number(one) for one in unique.tolist()]
        own = np.array(numbers, np.int64)[place.reshape(labels.shape)]
        return np.broadcast_to(own, (count,)).copy()

    def of_files(self, names: Sequence[str], source: str | None) -> np.ndarray | None:
        """Return the labels of the folders that files lie in, int64 [N].

        None for a model that isn't conditioned on labels.

        Args:
            names: of the files, with the folders that they lie in.
            source: of the images, for messages; None: arrays, which have no files.

        Raises:
            ConfigError: one lies in no folder named after a class.
        """
        if not self._conditioning.on_labels:
            return None
        numbers = self.folders()
        labels = [numbers.get(class_folder(name, numbers) or "") for name in names]
        if None in labels:
            first = names[labels.index(None)]
            raise ConfigError(
                f"{self._run} is conditioned on labels, and the images have none."
                if source is None
                else f"images={source}: {self._run} is conditioned on labels, and "
                f"{first} lies in no folder named after a class.",
                self.choice(),
            )
        return np.array(labels, np.int64)

    def folders(self) -> dict[str, int]:
        """Return the names that folders of classes have, with the classes' numbers.

        Of a model that is conditioned on labels: those that it was trained on.
        """
        numbers: Sequence[int] = self._spec.labels or ()
        names = self._spec.class_names
        if not self._conditioning.on_labels and names is not None:
            numbers = range(len(names))
        return {printable(self._spec.class_name(number)): number for number in numbers}

    def choice(self, given: str | None = None) -> str:
        """Say which labels the model was trained on, the one most like `given` last."""
        labels = list(self._spec.labels or ())
        if self._spec.class_names is not None:
            names = [self._spec.class_name(label) for label in labels]
            alike = [n for n in names if given and n.lower() == given.lower()]
            example = (alike or names)[-1]
            return f"choose one of: {', '.join(names)}, such as label={example!r}"
        low, high = labels[0], labels[-1]
        every = labels == list(range(low, high + 1))
        choice = f"{low} to {high}" if every else ", ".join(map(str, labels))
        return f"choose one of: {choice}, such as label={high}"

    def condition(self, label: Any, count: int) -> dict[str, Any]:
        """Return what `count` codes are conditioned on: one label, or one each.

        Raises:
            ConfigError: there is no such label, or one is needed.
        """
        if label is not None:
            return {"label": self.of_each(label, count)}
        if not self._conditioning.on_labels:
            return {}
        raise ConfigError(f"{self._run} needs a label, none was given.", self.choice())


def class_folder(name: str, known: dict[str, int]) -> str | None:
    """Return the class whose folder a file lies in, at the top or below a split's.

    Args:
        name: of the file, with the folders that it lies in.
        known: the names of classes.
    """
    folders = name.split("/")[:-1]
    splits = {folder for names in SPLIT_FOLDERS.values() for folder in names}
    if folders and folders[0] not in known and folders[0].lower() in splits:
        folders = folders[1:]
    return folders[0] if folders and folders[0] in known else None
