"""The networks that ship: what they reach on real images, and not less than that."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))
import vertebrae

from spinetools.metrics.overlap import dice
from spinetools.phantom import make_phantom
from spinetools.phantom.labels import structure_ids
from spinetools.vertebrae.api import label_vertebrae
from spinetools.vertebrae.engines import LoadedNetworks, load_networks
from spinetools.vertebrae.label import LabelParams

FAST = LabelParams(fast=True)


@pytest.fixture(scope="module")
def networks() -> LoadedNetworks:
    return load_networks(fast=True)


def answer_on(
    name: str, folder: Path, networks: LoadedNetworks, params: LabelParams = FAST
) -> vertebrae.Answer:
    case = next(case for case in vertebrae.cases(folder) if case.name == name)
    result = label_vertebrae(case.image, networks=networks, params=params)
    return vertebrae.KINDS[case.kind](result, case.truth)


@pytest.mark.real
def test_discs_of_a_lumbar_t2w_are_named(real_data: Path, networks: LoadedNetworks) -> None:
    answer = answer_on("ivd_20", real_data, networks)
    assert answer.right, answer.note
    assert answer.figures["Dice disc"] > 0.82


@pytest.mark.real
def test_a_neck_is_named_and_its_discs_are_near(real_data: Path) -> None:
    networks = load_networks()  # the default way: the fast one misses T2–T3
    answer = answer_on("errsm21_T2w", real_data, networks, LabelParams())
    assert answer.right, answer.note
    assert answer.figures["mean distance, mm"] < 4


@pytest.mark.real
def test_regions_of_a_volume_never_seen(real_data: Path, networks: LoadedNetworks) -> None:
    found = answer_on("41_T2space", real_data, networks).figures
    assert found["Dice vertebra"] > 0.78
    assert found["Dice disc"] > 0.78
    assert found["Dice canal"] > 0.80


@pytest.mark.real
def test_step_2_draws_discs_better(real_data: Path, networks: LoadedNetworks) -> None:
    fast = answer_on("ivd_11", real_data, networks)
    both = answer_on("ivd_11", real_data, load_networks(), LabelParams())
    assert both.right, both.note
    assert both.figures["Dice disc"] > max(0.82, fast.figures["Dice disc"] + 0.02)


def test_a_simulated_lumbar_spine(networks: LoadedNetworks) -> None:
    made = make_phantom(seed=7, protocol="t2_lumbar")
    result = label_vertebrae(made.image, networks=networks, params=FAST)
    names = {value: name for name, value in structure_ids().items()}
    truth, found = np.asarray(made.structures.data), np.asarray(result.on_input.data)

    def share(kind: str) -> float:
        true = np.isin(truth, [v for v, name in names.items() if name.startswith(kind)])
        seen = np.isin(found, [v for v, name in result.names.items() if name.startswith(kind)])
        return dice(seen, true)

    assert share("disc_") > 0.7
    assert share("vertebrae_") > 0.7
    assert share("spinal_") > 0.8
