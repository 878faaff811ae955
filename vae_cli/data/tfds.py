"""`dataset=tfds`: sets of TensorFlow Datasets, by name or from a local folder.

Records are read without TensorFlow, whose threads can't be set once it has started.
Nothing that a folder names is imported, and a set is prepared only by the code that the
installed package has for it.
"""

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.dataset_formats import TfdsConfig
from vae_cli.data.columns import Column, chosen_columns, chosen_splits
from vae_cli.data.records import Record, Records, sources_of
from vae_cli.data.splits import Sources
from vae_cli.data.tfds_files import (
    FEATURES,
    RecordFiles,
    check_features,
    check_there,
    prepared_folder,
)
from vae_cli.errors import DataError, first_line
from vae_cli.paths import is_there
from vae_cli.registry import builds
from vae_cli.runtime import errors_only, import_keras

NAME = re.compile(r"\w+(/[\w.-]+)?(:[\d.]+)?")
"""Of a set: its own, a configuration, a version."""
PREPARE = """
import sys, tensorflow_datasets as tfds
name, data_dir, config = sys.argv[1:]
tfds.builder(
    name, data_dir=data_dir or None, **({"config": config} if config else {})
).download_and_prepare()
"""
"""In a process of its own, since it starts TensorFlow."""

log = logging.getLogger(__name__)


@builds(TfdsConfig)
def tfds(config: TfdsConfig) -> Sources:
    """Pictures and labels of a set, found by the types of its features.

    Raises:
        DataError: the package is missing; there is no such set, or it can't be
            prepared; it has no feature of images, or several; pictures can't be read.
    """
    import_keras()  # quietly: the package imports TensorFlow here and there
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise DataError(
            "dataset=tfds needs a package that is not installed: tensorflow-datasets.",
            "pip install 'vae-cli[tfds]'",
        ) from error
    with errors_only("absl"):  # warnings are for the package's developers
        return _sources(tensorflow_datasets, config)


def _sources(package: Any, config: TfdsConfig) -> Sources:
    info = _builder(package, config).info
    splits = {name: split for name, split in info.splits.items() if "[" not in name}
    names = chosen_splits(splits, config)
    if not isinstance(info.features, package.features.FeaturesDict):
        raise DataError(
            f"dataset.path={config.path} has records without named features.",
            "needed: a FeaturesDict of images and labels",
        )
    columns = {
        name: _column(package, feature)
        for name, feature in sorted(info.features.items())
    }
    usual = info.supervised_keys
    image, label = chosen_columns(
        columns, config, tuple(usual) if usual and len(usual) == 2 else None
    )
    wanted = {name: True for name in (image, label) if name is not None}
    features = package.decode.PartialDecoding(wanted).extract_features(info.features)
    decoders = {}
    if columns[image].kind == "image":
        decoders[image] = package.decode.SkipDecoding()

    def parsed(record: bytes) -> Record:
        example = features.deserialize_example_np(record, decoders=decoders)
        value = None if label is None else example[label]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "backslashreplace")
        elif value is not None:
            value = int(value)
        return example[image], value

    records, identity = {}, []
    for split, name in names.items():
        files = [Path(file) for file in splits[name].filepaths]
        check_there(files, config.path)
        own = RecordFiles(files, info.file_format.value, parsed, config.path)
        records[split] = Records(splits[name].num_examples, own.read)
        stats = [(str(file), file.stat()) for file in files]
        identity += [[file, s.st_size, s.st_mtime_ns] for file, s in stats]
    class_names = getattr(info.features[label], "names", None) if label else None
    return sources_of(
        records,
        config,
        [str(info.full_name), image, label, identity],
        None if class_names is None else tuple(class_names),
    )


def _builder(package: Any, config: TfdsConfig) -> Any:
    """Return what reads a set, which is prepared if need be.

    Raises:
        DataError: there is no such set, or it can't be prepared.
    """
    path = Path(config.path)
    try:
        if is_there(path):
            folder = prepared_folder(path)
            check_features(folder)
            return package.builder_from_directory(str(folder))
        _check_name(config)
        root = Path(config.data_dir or package.core.constants.DATA_DIR).expanduser()
        base = root / config.path.partition("/")[0].partition(":")[0]
        for features in base.rglob(FEATURES):
            check_features(features.parent)
        options = {"config": config.config_name} if config.config_name else {}
        builder = package.builder(config.path, data_dir=str(root), **options)
        if not is_there(Path(builder.data_dir)):
            _prepare(config, str(root))
        return builder
    except DataError:
        raise
    except Exception as error:  # builders of hundreds of sets raise anything
        raise DataError(
            f"dataset.path={config.path} can't be read as a set of TensorFlow "
            f"Datasets: {first_line(error)}.",
            "give a name such as mnist, or a local folder that holds features.json",
        ) from error


def _check_name(config: TfdsConfig) -> None:
    """Refuse names of sets whose code is downloaded, and paths that aren't there.

    Raises:
        DataError: it is one of these.
    """
    name = config.path
    if Path(name).is_absolute() or name.startswith((".", "~")):
        raise DataError(
            f"dataset.path={name} does not exist.",
            "give a local folder that holds features.json, or a name such as mnist",
        )
    if NAME.fullmatch(name):
        return
    if ":" in name:
        raise DataError(
            f"dataset.path={name} names a community collection, whose code would be "
            "downloaded and run.",
            "give a set of tensorflow-datasets itself, or a local folder; for the "
            "hub: dataset=huggingface",
        )
    raise DataError(
        f"dataset.path={name} does not exist, and is no name of a set.",
        "give a local folder that holds features.json, or a name such as mnist",
    )


def _prepare(config: TfdsConfig, root: str) -> None:
    """Download and prepare a set, in a process of its own.

    Raises:
        DataError: it can't be, for instance without a network.
    """
    log.info("preparing %s in %s; this is done once", config.path, root)
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, config.path, root, config.config_name or ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DataError(
            f"dataset.path={config.path} is not in {root}, and can't be downloaded and "
            f"prepared: {lines[-1] if lines else f'status {done.returncode}'}",
            "prepare it where there is a network, and give its folder as dataset.path",
        )


def _column(package: Any, feature: Any) -> Column:
    """Return the kind of a feature."""
    features, text = package.features, type(feature).__name__
    if isinstance(feature, features.Image):
        if feature.np_dtype == np.float32:  # stored as four channels, bit by bit
            return Column("other", f"{text} float32")
        return Column("image", f"{text} {list(feature.shape)}")
    if isinstance(feature, features.ClassLabel):
        return Column("class", f"{text} of {feature.num_classes}")
    if isinstance(feature, features.Text):
        return Column("value", text)
    if isinstance(feature, features.Tensor):  # Scalar among them
        dtype, shape = np.dtype(feature.np_dtype), feature.shape
        if len(shape) in (2, 3) and dtype.kind in "biuf":
            return Column("array", f"{text} {dtype} {list(shape)}")
        if not shape and dtype.kind in "biu":
            return Column("value", f"{text} {dtype}")
    return Column("other", text)
