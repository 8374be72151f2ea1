import pytest

from reconciler.model.duration import exact_seconds, seconds


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1d2h3m4s", 93784), ("0s", 0)]
)
def test_durations(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("80ms", 0.08), ("1s500ms", 1.5), ("1m30s", 90.0), ("2m1ms", 120.001), ("0ms", 0.0)]
)
def test_short_durations(text: str, value: float) -> None:
    assert exact_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "ms", "80", "1ms2s", "1.5ms", "80 ms", "-80ms", "80ms\n", "٣ms", "1ms2ms"])
def test_what_is_no_short_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        exact_seconds(text)


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "10 m", "1m1h", "-1s", "1S", "١s", "1s\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)
