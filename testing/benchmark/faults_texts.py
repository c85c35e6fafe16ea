"""Malformed files that are no images: tables, JSON, YAML, ONNX models and zips."""

from __future__ import annotations

import json
import random
import stat
import zipfile
from pathlib import Path


def other_file(
    kind: str, seed: int, number: int, folder: Path, files: dict[str, Path | str]
) -> Path:
    """Make a malformed table, text, model or zip."""
    draw = random.Random(f"{kind} {seed} {number}")
    path = folder / f"bad.{kind}"
    if kind == "onnx":
        data = bytearray(Path(files["MODEL"]).read_bytes())
        how = draw.randrange(5)
        if how == 0:
            data = data[: draw.randrange(len(data))]
        else:  # anywhere, or where the structure is and not the weights
            near = min(len(data), draw.choice([64, 4096, len(data)]))
            places = [draw.randrange(near) if draw.random() < 0.5 else -1 - draw.randrange(near)]
            for place in places:
                data[place] ^= draw.randrange(1, 256)
        path.write_bytes(data)
    elif kind == "zip":
        _bad_zip(path, draw)
    else:
        path.write_bytes(_bad_text(kind, draw))
    return path


def _bad_zip(path: Path, draw: random.Random) -> None:
    names = [
        "../outside.txt",
        "a/../../outside.txt",
        "/tmp/outside.txt",
        "C:\\outside.txt",
        "a\0b",
        "..\\outside.txt",
        "link",
        "x" * 300,
        "con",
        "a/" * 200 + "b",
        "plans.json",
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in draw.sample(names, draw.randint(1, 4)):
            info = zipfile.ZipInfo(name)
            if name == "link":
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            content = bytes(1 << 22) if draw.random() < 0.2 else b"../../outside.txt"
            archive.writestr(info, content)
    data = bytearray(path.read_bytes())
    if draw.random() < 0.4:
        for _ in range(draw.choice([1, 5])):
            data[draw.randrange(len(data))] = draw.randrange(256)
    elif draw.random() < 0.2:
        data = data[: draw.randrange(len(data))]
    path.write_bytes(data)


def _bad_text(kind: str, draw: random.Random) -> bytes:
    odd = [
        "",
        "nan",
        "inf",
        "1e999",
        "-1",
        "99999999999999999999",
        "x",
        "é",
        "\0",
        "'",
        '"',
        "[" * 99,
        "1,2",
        "1,2,3,4",
        "<script>",
        "${HOME}",
        "!!python/object:os.system",
        "&a *a",
    ]
    if draw.random() < 0.15:
        return draw.randbytes(draw.choice([0, 1, 100, 5000]))
    if kind == "csv":
        rows = [[f"{19 + draw.random():.2f}", "18", str(z)] for z in range(20)]
        for _ in range(draw.choice([1, 1, 5, 40])):
            rows[draw.randrange(20)][draw.randrange(3)] = draw.choice(odd)
        text = "\n".join(",".join(row) for row in rows)
    elif kind == "tsv":
        text = "id\trating\tnote\n" + "\n".join(
            "\t".join(draw.choice([*odd, "pass", "fail"]) for _ in range(draw.randint(0, 5)))
            for _ in range(5)
        )
    elif kind == "json":
        bad = draw.choice(odd)
        deep = "[" * 100_000
        record = {"id": bad, "rating": draw.choice(odd), "slices": {bad: bad}, "case": bad}
        text = draw.choice(
            [
                deep,
                "{",
                "null",
                "[]",
                '{"ratings": 3}',
                '{"ratings": [3, null]}',
                json.dumps({"ratings": [record]}),
                json.dumps({"ratings": {bad: record}}),
                '{"ratings": NaN}',
            ]
        )
    else:
        text = draw.choice(
            [
                "- sub-01",
                "sub-01",
                "{",
                "a: [1, 2",
                "!!python/object/apply:os.getcwd []",
                "a: &a [*a]",
                "- 1\n- {}\n- null",
                "\t- x",
                "{}",
                "[]",
                "? ",
                "- " * 2000,
                f"fail: {draw.choice(odd)}",
                draw.choice(odd),
            ]
        )
    data = text.encode()
    if draw.random() < 0.15:
        place = draw.randrange(len(data) + 1)
        data = data[:place] + draw.randbytes(3) + data[place:]
    return data
