"""Maps of the confidence, and the least sure places."""

import io

import numpy as np
from PIL import Image

from photochrom.photo.confidence import confidence_png, least_sure_places


def picture(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_the_least_sure_places_lie_apart():
    confidence = np.full((40, 60), 0.8, np.float32)
    for row, column, value in ((10, 10, 0.1), (12, 11, 0.15), (30, 50, 0.3), (5, 40, 0.5)):
        confidence[row - 1 : row + 2, column - 1 : column + 2] = value
    places = least_sure_places(confidence)
    assert [round(value, 2) for *_, value in places] == [0.1, 0.3, 0.5]
    np.testing.assert_allclose(places[0][:2], (10.5 / 60, 10.5 / 40), atol=0.03)


def test_the_places_are_in_the_order_of_their_own_confidence():
    confidence = np.full((40, 60), 0.8, np.float32)
    confidence[9:12, 9:12], confidence[10, 10] = 0.1, 0.34  # the lowest mean, but not the lowest value in the centre
    confidence[29:32, 49:52] = 0.3
    values = [value for *_, value in least_sure_places(confidence)]
    assert values == sorted(values)
    assert round(values[0], 2) == 0.3


def test_a_small_picture_has_fewer_places():
    assert len(least_sure_places(np.full((1, 1), 0.5))) == 1


def test_the_raw_map_is_grey():
    raw = picture(confidence_png(np.array([[0.0, 1.0]]), (4, 8), raw=True))
    assert raw.shape == (4, 8)
    assert (raw[0, 0], raw[0, -1]) == (0, 255)


def test_the_map_is_stretched_and_has_a_legend():
    confidence = np.tile(np.linspace(0.4, 0.5, 64), (48, 1))
    drawn = picture(confidence_png(confidence, (480, 640), raw=False))
    assert drawn.shape[0] > 480
    assert drawn.shape[1:] == (640, 3)
    lightness = drawn[200].mean(axis=1)
    assert lightness[-5] - lightness[5] > 80


def test_numbers_at_the_edge_are_whole():
    shape = (400, 600)
    inside = np.full((40, 60), 0.8, np.float32)
    edge = inside.copy()
    inside[19:22, 29:32], edge[0:3, 29:32] = 0.2, 0.2
    white = [
        (picture(confidence_png(each, shape, raw=False))[:400, 250:350] > 250).all(axis=2).sum()
        for each in (inside, edge)
    ]
    assert white[0] > 10
    assert white[1] >= white[0]
