"""The forecast of the remaining time, and the schedule that it is based on."""

from dataclasses import replace

import numpy as np
import pytest

from photochrom.training.recipes import DEFAULT_CPU, REFERENCE
from photochrom.training.remaining_time import Costs, Forecast, duration
from photochrom.training.schedule import Schedule


@pytest.mark.parametrize("recipe", [DEFAULT_CPU, REFERENCE])
@pytest.mark.parametrize("count", [100, 3_333])
@pytest.mark.parametrize("epochs", [0.4, 7])
def test_remaining_parts_are_counted(recipe, count, epochs):
    schedule = Schedule(replace(recipe, epochs=epochs), count)
    for step in (0, 1, schedule.steps // 2, schedule.steps - 1, schedule.steps):
        coming = range(step, schedule.steps)
        whole = sum(map(schedule.sees_whole_pictures, coming))
        ends = sum((s + 1) % schedule.steps_per_round == 0 or s + 1 == schedule.steps for s in coming)
        assert schedule.remaining(step) == (len(coming) - whole, whole, ends)


def test_the_learning_rate_rises_in_a_tenth_of_the_steps_and_falls_along_a_cosine():
    schedule = Schedule(replace(DEFAULT_CPU, batch=1, epochs=1, learning_rate=2.0), 1_000)
    rates = np.array([schedule.learning_rate(step) for step in range(schedule.steps)])
    np.testing.assert_allclose(rates[:100], np.arange(1, 101) / 50)
    np.testing.assert_allclose(rates[100:], 1 + np.cos(np.linspace(0, np.pi, 900, endpoint=False)))
    long = Schedule(replace(DEFAULT_CPU, batch=1, epochs=1, learning_rate=2.0), 100_000)
    assert [long.learning_rate(step) for step in (0, 199, 200)] == [0.01, 2, 2]


def test_a_forecast_begins_with_the_guess():
    assert Forecast(Costs(1, 2, 10)).seconds_left((30, 5, 2)) == 60


def test_measured_parts_use_their_measurement():
    forecast = Forecast(Costs(1, 2, 10))
    for _ in range(20):
        forecast.measured("crop", 3)
    assert forecast.seconds_left((10, 0, 0)) == pytest.approx(30, rel=0.1)


def test_a_slow_machine_is_expected_to_be_slow_at_everything():
    """Steps with whole pictures come last, so the mean of the steps so far would be too optimistic all along."""
    forecast = Forecast(Costs(1, 2, 10))
    for _ in range(60):
        forecast.measured("crop", 4)
    assert forecast.seconds_left((0, 10, 1)) == pytest.approx(4 * 30, rel=0.05)


def test_only_ratios_of_the_guess_matter_once_something_was_measured():
    forecasts = [Forecast(Costs(scale, 2 * scale, 10 * scale)) for scale in (1e-3, 1, 50)]
    for forecast in forecasts:
        for _ in range(200):
            forecast.measured("crop", 4)
    assert [forecast.seconds_left((10, 10, 1)) for forecast in forecasts] == pytest.approx([160, 160, 160], rel=0.1)


def test_a_forecast_follows_a_machine_that_gets_busy():
    forecast = Forecast(Costs(1, 1, 1))
    for seconds in (1,) * 100 + (3,) * 100:
        forecast.measured("whole", seconds)
    assert forecast.seconds_left((0, 100, 0)) == pytest.approx(300, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5_000, "83 min"), (12_240, "3.4 h")]
)
def test_durations_are_read_easily(seconds, text):
    assert duration(seconds) == text
