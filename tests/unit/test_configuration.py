"""Layers of configuration, one on top of the other."""

from fedssl.configuration import Layer, merged


def test_later_layers_win_and_earlier_ones_order_the_keys() -> None:
    layers = [
        Layer("shipped.yaml", {"tables": {"b": {"rows": [1, 2], "title": "B"}, "a": {}}, "n": 1}),
        Layer(
            "mine.yaml", {"new": True, "tables": {"c": {}, "a": {"rows": []}, "b": {"rows": [3]}}}
        ),
        Layer("--config", {"n": None}),
    ]
    found = merged(layers)
    assert found == {
        "tables": {"b": {"rows": [3], "title": "B"}, "a": {"rows": []}, "c": {}},
        "n": None,
        "new": True,
    }
    assert list(found) == ["tables", "n", "new"] and list(found["tables"]) == ["b", "a", "c"]
    assert layers[0].content["tables"] == {"b": {"rows": [1, 2], "title": "B"}, "a": {}}
