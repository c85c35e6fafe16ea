"""Everything that is measured on one image: each method, each slice, each pair of methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from spinetools.centerline.fit import fit_curve
from spinetools.compare.cases import Case, Compared, Pair, Result, SliceRow
from spinetools.compare.evidence import AGREE, Judged, judge
from spinetools.compare.plausible import FLOOR, Quality, calibrated
from spinetools.image import Image, load_mask, load_volume
from spinetools.metrics.levels import levels_from_discs, levels_from_labels
from spinetools.metrics.overlap import as_fractions, overlap_by_slice, volume_mm3
from spinetools.metrics.report import cord_report
from spinetools.metrics.shape import AXIAL, measure_slices, slice_centres, slice_frame
from spinetools.qc.checks import area_jumps, mask_flags
from spinetools.qc.cuts import extent_of
from spinetools.qc.entry import Flag
from spinetools.qc.geometry import Frame
from spinetools.series import is_there

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: A mask with a lower Dice (or expected Dice) is of no use; below the second, look at it.
FAILED_BELOW, SUSPECT_BELOW = 0.6, 0.85
#: Share of the cord's volume that a method lacks, and of slices with a doubt, worth a flag.
MISSING_SHARE, DOUBT_SHARE = 0.05, 0.1
#: How the centreline is smoothed for the area at right angles to it, as st_process_segmentation.
SMOOTH_MM = 30.0


def compare_case(case: Case, quality: Quality | None = None) -> Compared:
    """Measure all methods on one image.

    Parameters
    ----------
    case
        The files.
    quality
        How evidence adds up; None for the numbers that ship.

    Returns
    -------
    Compared

    Raises
    ------
    InputError
        When a file cannot be used; a segmentation that is missing or empty is a failure of its
        method instead.
    SpaceMismatch
        When a file is not on the image's grid.
    """
    quality = quality or calibrated()
    image = load_volume(case.image)
    masks = _masks(case, image)
    reference = None
    if case.reference is not None:
        reference = load_mask(case.reference)
        image.space.check_same(reference.space, (image.name, reference.name))
    filled = {name: mask for name, mask in masks.items() if mask is not None and _any(mask)}
    level_of = _levels(case, next(iter(filled.values()), reference))
    judged = judge(image, filled, quality.limits, level_of)
    areas = {name: areas_across(mask) for name, mask in filled.items()}
    one = _One(quality, filled, judged, areas, reference, level_of)
    results = []
    for name, mask in masks.items():
        if mask is None:
            results.append(Result(name, "failed", ("no segmentation was made",)))
        elif name not in filled:
            results.append(Result(name, "failed", ("the segmentation is empty",)))
        else:
            results.append(_result(name, one))
    pairs = [_pair(first, second, one) for first, second in combinations(filled, 2)]
    return Compared(case, tuple(results), tuple(pairs), reference is not None)


@dataclass(frozen=True, eq=False)
class _One:
    """What is known of one image: by method, without those that have no mask."""

    quality: Quality
    masks: Mapping[str, Image]
    judged: Mapping[str, Judged]
    csa_mm2: Mapping[str, FloatArray]
    reference: Image | None
    level_of: IntArray | None


def _masks(case: Case, image: Image) -> dict[str, Image | None]:
    masks: dict[str, Image | None] = {}
    for name, path in case.segmentations.items():
        if path is None or not is_there(path):
            masks[name] = None
            continue
        masks[name] = mask = load_mask(path, allow_empty=True)
        image.space.check_same(mask.space, (image.name, mask.name))
    return masks


def _any(mask: Image) -> bool:
    return bool((as_fractions(mask.data) >= 0.5).any())


def _levels(case: Case, mask: Image | None) -> IntArray | None:
    """Level of each axial slice from the inferior end; None where no file tells it."""
    if mask is None or (case.levels is None and case.discs is None):
        return None
    if case.levels is not None:
        return levels_from_labels(load_mask(case.levels), mask)
    assert case.discs is not None
    curve = fit_curve(slice_centres(mask)[1], smooth_mm=SMOOTH_MM)
    return levels_from_discs(load_mask(case.discs), mask, curve.resample(0.1))


def _result(name: str, one: _One) -> Result:
    mask, own = one.masks[name], one.judged[name]
    lacking = one.quality.lacking(own.evidence)
    figures = {} if one.reference is None else cord_report(mask, one.reference)
    states = slice_states(name, one.judged)
    flags = _flags(name, mask, own, states)
    score = figures["dice"] if figures else 1 - lacking
    reasons = [f"{flag.kind}: {flag.reason}" for flag in flags]
    if score < SUSPECT_BELOW:
        what = "Dice with the reference" if figures else "expected Dice"
        reasons.insert(0, f"{what} {score:.2f}")
    slice_mm = mask.reorient(AXIAL).space.spacing[2]
    return Result(
        method=name,
        state="failed" if score < FAILED_BELOW else "suspect" if reasons else "ok",
        reasons=tuple(reasons),
        expected=1 - lacking,
        lacking_error=one.quality.error * (lacking + FLOOR),
        csa_mm2=float(np.nanmean(one.csa_mm2[name])),
        volume_mm3=volume_mm3(mask),
        length_mm=float((own.area_mm2 > 0).sum() * slice_mm),
        evidence=asdict(own.evidence),
        figures=figures,
        flags=tuple(flags),
        slices=_rows(name, one, states),
    )


def areas_across(mask: Image) -> FloatArray:
    """Return the cord's area at right angles to it, a slice from the inferior end; NaN without."""
    upright = mask.reorient(AXIAL)
    heights = np.arange(upright.shape[2]) * slice_frame(upright.space)[2, 2]
    curve = fit_curve(slice_centres(upright)[1], smooth_mm=SMOOTH_MM)
    return measure_slices(upright, curve.tangent(heights)).area_mm2


def slice_states(name: str, judged: Mapping[str, Judged]) -> list[str]:
    """Return one method's state in each slice from the inferior end; empty where none has a mask.

    See :class:`spinetools.compare.cases.SliceRow`.
    """
    own = judged[name]
    others = [other for key, other in judged.items() if key != name]
    states = []
    for k, area in enumerate(own.area_mm2):
        elsewhere = any(other.area_mm2[k] > 0 for other in others)
        if area <= 0:
            states.append("missing" if elsewhere else "")
        elif own.implausible[k]:
            states.append("implausible")
        elif elsewhere and own.agreement[k] < AGREE and _fits_worse(k, own, others):
            states.append("disagreement")
        else:
            states.append("ok")
    return states


def _fits_worse(k: int, own: Judged, others: list[Judged]) -> bool:
    best = min((o.edges.error_mm[k] for o in others if o.area_mm2[k] > 0), default=np.inf)
    return bool(own.edges.error_mm[k] > best)


def _flags(name: str, mask: Image, own: Judged, states: list[str]) -> list[Flag]:
    frame = Frame(mask.space, "axial")
    extent = extent_of(frame, np.asarray(as_fractions(mask.data) >= 0.5))
    flags = [*mask_flags(name, frame, extent, ()), *area_jumps(name, frame, extent)]
    filled = sum(state not in ("", "missing") for state in states)
    for kind, state, share, reason in (
        ("shorter", "missing", MISSING_SHARE, "other methods go on here"),
        ("area", "implausible", 0.0, "no cord has this area"),
        ("disagreement", "disagreement", DOUBT_SHARE,
         "the methods differ, and the image's edge speaks against this one"),
    ):  # fmt: skip
        found = tuple(native_index(mask, k) for k, each in enumerate(states) if each == state)
        weight = own.evidence.missing if state == "missing" else len(found) / max(filled, 1)
        if found and weight > share:
            number = f"{len(found)} slice{'s' if len(found) > 1 else ''}"
            flags.append(Flag(kind, f"{reason} ({number})", tuple(sorted(found))))
    if own.too_long:
        flags.append(Flag("length", "longer than any cord"))
    return flags


def native_index(image: Image, k: int) -> int:
    """Turn an axial slice counted from the inferior end into the image's own voxel index."""
    axis = next(n for n, code in enumerate(image.space.nib_codes) if code in "SI")
    return k if image.space.nib_codes[axis] == "S" else image.shape[axis] - 1 - k


def _rows(name: str, one: _One, states: list[str]) -> tuple[SliceRow, ...]:
    own, mask = one.judged[name], one.masks[name]
    anywhere = np.flatnonzero(np.any([each.area_mm2 > 0 for each in one.judged.values()], axis=0))
    low, high = int(anywhere[0]), int(anywhere[-1])
    dices = [float("nan")] * len(states)
    if one.reference is not None:
        a, b = (as_fractions(each.reorient(AXIAL).data) >= 0.5 for each in (mask, one.reference))
        dices = [found.dice for found in overlap_by_slice(a, b)]
    return tuple(
        SliceRow(
            index=native_index(mask, k),
            place=(high - k) / max(high - low, 1),
            level=0 if one.level_of is None else int(one.level_of[k]),
            csa_mm2=float(one.csa_mm2[name][k]),
            agreement=float(own.agreement[k]),
            edge_mm=float(own.edges.error_mm[k]),
            dice=dices[k],
            state=states[k],
        )
        for k in range(high, low - 1, -1)
        if states[k]
    )


def _pair(first: str, second: str, one: _One) -> Pair:
    figures = cord_report(one.masks[first], one.masks[second])
    difference = one.csa_mm2[first] - one.csa_mm2[second]
    shared = difference[np.isfinite(difference)]
    return Pair(
        first,
        second,
        figures["dice"],
        figures["hausdorff_mm"],
        figures["hd95_mm"],
        figures["mean_surface_distance_mm"],
        float(shared.mean()) if len(shared) else float("nan"),
    )
