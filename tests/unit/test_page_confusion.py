"""The confusions in the panel of a number."""

from pathlib import Path

import pandas as pd

from fedssl.files import write_json
from fedssl.paper.page.confusion import confusion, confusions
from tests.unit.runs import record


def score(folder: Path, labels: list[int], predictions: list[int], *, classes: int = 3) -> Path:
    path, bank = folder / "knn.json", folder / "bank.json"
    write_json(path, {"predictions": "knn.parquet"})
    write_json(bank, {"classes": ["cat", "dog", *(f"other {i}" for i in range(classes - 2))]})
    frame = pd.DataFrame({"label": labels, "prediction": predictions})
    frame.to_parquet(folder / "knn.parquet")
    record(folder / "provenance.json", "evaluate", inputs=[str(bank)], outputs=[str(path)])
    return path


def test_the_most_frequent_confusions_come_first_with_their_names(tmp_path: Path) -> None:
    found = confusion(score(tmp_path, [0, 0, 0, 0, 1, 1, 2], [0, 1, 1, 2, 1, 0, 2]))
    assert found is not None and found["classes"] == 3
    assert found["pairs"] == [
        ["cat", "dog", 2, 4],
        ["cat", "other 0", 1, 4],
        ["dog", "cat", 1, 2],
    ]
    assert found["picture"].startswith("data:image/png")


def test_many_classes_have_pairs_and_no_picture(tmp_path: Path) -> None:
    found = confusion(score(tmp_path, [0, 40], [40, 40], classes=50))
    assert found == {"classes": 50, "picture": None, "pairs": [["cat", "other 38", 1, 1]]}


def test_without_classes_there_is_nothing_to_confuse(tmp_path: Path) -> None:
    path = score(tmp_path, [0], [0])
    found = confusion(path)
    assert found is not None and found["pairs"] == []
    pd.DataFrame({"label": [0], "hit@1": [True]}).to_parquet(tmp_path / "knn.parquet")
    assert confusion(path) is None
    (tmp_path / "knn.parquet").unlink()
    assert confusion(path) is None


def test_scores_without_classes_are_left_out(tmp_path: Path) -> None:
    path = score(tmp_path, [0, 1], [1, 1])
    other = tmp_path / "other"
    write_json(other / "retrieval.json", {"predictions": "retrieval.parquet"})
    assert list(confusions([path, other / "retrieval.json"])) == [str(path)]
