import pytest

from vae_cli.data_spec import class_numbers
from vae_cli.errors import DataError


def numbers(*wanted, names=("cat", "dog", "owl")):
    return class_numbers(wanted, range(len(names)), names, "label")


def test_classes_are_known_by_name_and_by_number():
    assert numbers("owl", "0", 1) == [2, 0, 1]


def test_numbers_are_names_where_names_are_numbers():
    years = ("1998", "2", "other")
    assert numbers("2", 2, names=years) == [1, 1]
    with pytest.raises(DataError, match="no image is of class 0"):
        numbers("0", names=years)


def test_name_that_is_nearly_one_is_suggested():
    with pytest.raises(DataError, match="did you mean dog"):
        numbers("dogg")
