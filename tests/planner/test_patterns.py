"""What shares of a GPU are worth, and where they go by it."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planner.patterns import room_worth, share_prices
from reconciler.planner.shapes import DEVICE, Classes, Shapes
from reconciler.planner.states import States, Weights

AMOUNTS = st.dictionaries(st.integers(12, 50).map(lambda tens: tens * 20), st.integers(1, 500), min_size=1, max_size=6)


@given(amounts=AMOUNTS)
def test_no_pattern_is_worth_more_than_a_device_and_some_is_worth_one(amounts: dict[int, int]) -> None:
    prices = share_prices(amounts, DEVICE)
    patterns = [
        sum(prices[share] for share in pattern)
        for count in (1, 2, 3, 4)  # no more shares of 240 fit
        for pattern in combinations_with_replacement(sorted(amounts), count)
        if sum(pattern) <= DEVICE
    ]
    assert max(patterns) == pytest.approx(1, abs=1e-6)
    assert max(patterns) <= 1


@given(amounts=AMOUNTS, first=st.integers(0, 100), second=st.integers(0, 100))
def test_room_in_one_piece_is_worth_no_less_than_in_two(amounts: dict[int, int], first: int, second: int) -> None:
    worth = room_worth(amounts, DEVICE, 10)
    assert worth[0] == 0
    assert worth[-1] == pytest.approx(1, abs=1e-6)
    assert worth[min(first + second, 100)] >= worth[first] + worth[min(first + second, 100) - first] - 1e-9


def test_a_share_that_is_no_whole_number_of_steps_needs_the_next() -> None:
    assert room_worth({333: 9.0}, DEVICE, 10)[33:35].tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert room_worth({333: 9.0}, DEVICE, 1)[332:334].tolist() == pytest.approx([0, 1 / 3], abs=1e-6)


def test_a_share_goes_where_what_is_left_can_be_filled() -> None:
    """Half of a device and a quarter leave a quarter, which others fill; half and a third leave what nobody does."""
    shapes = Shapes(np.zeros((3, 2), np.int64), np.ones(3, np.int64), np.array([500, 330, 250]), np.ones((1, 3), bool))
    states = States(Classes(np.array([[8000, 8000]]), np.array([2])), shapes, Weights(0.035, 0.02, 4.0))
    node = states.numbers(np.array([0]), np.array([[8000, 8000]]), np.array([[750, 670]]))
    states.expect(np.array([300, 300, 200]))
    states.score(0, node)
    assert states.level(0, int(node[0])) == 750
