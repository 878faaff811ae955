"""BibTeX: only what a run uses, and entries that parse."""

import re

import pytest

from vae_cli.config.compose import composed
from vae_cli.report.citations import PAPERS, citations


def keys(*words: str, sampled: bool = False) -> set[str]:
    entries = citations(composed("train", list(words)), sampled)
    return {re.match(r"@\w+\{(\w+),", bibtex)[1] for _, bibtex in entries}  # type: ignore[index]


@pytest.mark.parametrize(
    ("words", "sampled", "more"),
    [
        ((), False, set()),
        (("beta=4",), False, {"higgins2017beta"}),
        ((), True, {"burda2016importance"}),
        (("objective=iwae",), False, {"burda2016importance"}),
        (("objective=beta_tc",), False, {"chen2018isolating"}),
        (("objective=factor",), False, {"kim2018disentangling"}),
        (("objective=dip",), False, {"kumar2018variational"}),
        (("objective=mmd",), False, {"zhao2019infovae", "tolstikhin2018wasserstein"}),
        (("objective=capacity",), False, {"burgess2018understanding"}),
        (("objective=geco",), False, {"rezende2018taming"}),
        (("objective.sticking_the_landing=true",), False, {"roeder2017sticking"}),
        (("prior=vamp", "kl_annealing=cyclical"), False,
         {"tomczak2018vae", "fu2019cyclical"}),
        (("free_bits=0.1",), False, {"kingma2016improved"}),
        (("posterior=iaf", "prior=iaf"), False,
         {"kingma2016improved", "papamakarios2017masked"}),
        (("posterior=planar", "prior=realnvp"), False,
         {"rezende2015variational", "dinh2017density"}),
        (("conditioning=label",), False, {"sohn2015learning"}),
        (("latent=vq",), False, {"oord2017neural", "oord2016conditional"}),
        (("latent=fsq", "latent.prior=uniform"), False, {"mentzer2023finite"}),
        (("latent=categorical",), False,
         {"jang2017categorical", "oord2016conditional"}),
    ],
)  # fmt: skip
def test_papers_are_those_of_the_options(
    words: tuple[str, ...], sampled: bool, more: set[str]
) -> None:
    always = {"vae_cli", "kingma2014auto", "lecun1998gradient"}
    assert keys(*words, sampled=sampled) == always | more


def test_every_entry_is_well_formed_and_its_own() -> None:
    found = [paper.bibtex for paper in PAPERS]
    for bibtex in found:
        assert bibtex.count("{") == bibtex.count("}")
        for field in ("title", "author", "year"):
            assert re.search(rf"^  {field} = \{{.+\}},?$", bibtex, re.MULTILINE)
    names = [re.match(r"@\w+\{(\w+),", bibtex)[1] for bibtex in found]  # type: ignore[index]
    assert len(set(names)) == len(names)
