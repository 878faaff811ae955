from pathlib import Path

from tests.conftest import TINY, vae


def test_own_variant_is_listed_trained_and_named_in_the_table_of_runs(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mine" / "architecture"
    assert vae("copy", "architecture/dense", str(folder), cwd=tmp_path).status == 0
    small = (folder / "dense.yaml").rename(folder / "small.yaml")
    small.write_text(small.read_text().replace("[500, 500]", "[8]"))
    own = ("--config-dir", "mine")
    assert "\nsmall " in vae("list", "architecture", *own, cwd=tmp_path).stdout
    done = vae(
        "train", *own, *TINY, "architecture=small", "run_dir=outputs/a", cwd=tmp_path
    )
    assert done.status == 0, done.stderr
    (_, line) = vae("runs", cwd=tmp_path).stdout.splitlines()
    assert line.split()[:4] == ["finished", "1/1", "synthetic", "small"]
