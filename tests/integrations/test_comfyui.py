"""The nodes of ComfyUI, tested by its protocol: classes that name their inputs, outputs and function; tensors."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from photochrom.color.spaces import luma_of_rgb
from photochrom.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

torch = pytest.importorskip("torch", reason="ComfyUI's tensors are PyTorch's")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image():
    """Return a grey image, float32 ``[2, 96, 128, 3]``."""
    grey = data.astronaut()[40:136, 100:228, 1].astype(np.float32) / 255
    return torch.from_numpy(np.stack([grey, grey[:, ::-1]])[..., None].repeat(3, -1).copy())


def lumas(image):
    return np.stack([luma_of_rgb(np.rint(each * 65535).astype(np.uint16)) for each in image.numpy()])


def saved(image):
    """Return the bytes of pictures as ComfyUI's own node saves them."""
    return np.clip(255.0 * image.numpy(), 0, 255).astype(np.uint8)


def run(name, **inputs):
    """Call a node as ComfyUI does."""
    node = NODE_CLASS_MAPPINGS[name]
    declared = node.INPUT_TYPES()
    assert set(inputs) <= set(declared["required"]) | set(declared.get("optional", {}))
    for input_name, (kind, *facts) in declared["required"].items():
        if facts and kind in ("FLOAT", "STRING"):
            inputs.setdefault(input_name, facts[0]["default"])
    found = getattr(node(), node.FUNCTION)(**inputs)
    assert len(found) == len(node.RETURN_TYPES)
    return found[0]


def test_every_node_has_a_name_to_read():
    assert set(NODE_CLASS_MAPPINGS) == set(NODE_DISPLAY_NAME_MAPPINGS)


@pytest.mark.parametrize(("name", "argument"), [("PhotochromPhotograph", "image"), ("PhotochromFrames", "frames")])
def test_images_get_colours_and_keep_their_luma(image, name, argument):
    image = image * 0.9 + 0.0371  # finer than 8 bits
    colored = run(name, **{argument: image})
    assert (colored.shape, colored.dtype) == (image.shape, image.dtype)
    assert 0 <= float(colored.min()) <= float(colored.max()) <= 1
    assert (lumas(colored) == lumas(image)).mean() > 0.999
    assert float((colored.amax(-1) - colored.amin(-1)).mean()) > 0.02


@pytest.mark.parametrize(("name", "argument"), [("PhotochromPhotograph", "image"), ("PhotochromFrames", "frames")])
def test_detail_changes_the_colours_of_large_images(name, argument):
    grey = data.astronaut()[:400, :400, 1:2].astype(np.float32) / 255
    image = torch.from_numpy(np.repeat(grey[None], 3, axis=-1))
    usual, detailed = (run(name, **{argument: image}, **more) for more in ({}, {"detail": 1.5}))
    assert 1e-4 < float((detailed - usual).abs().mean()) < 0.1


@pytest.mark.parametrize(("name", "argument"), [("PhotochromPhotograph", "image"), ("PhotochromFrames", "frames")])
def test_images_loaded_from_8_bits_keep_their_luma_when_saved(image, name, argument):
    colored = saved(run(name, **{argument: image}))
    assert np.array_equal(np.stack([luma_of_rgb(each) for each in colored]), saved(image)[..., 0])
    assert np.ptp(colored, axis=-1).mean() > 5


def test_a_mask_becomes_hints_that_colour_its_part(image):
    mask = torch.zeros(1, 96, 128)
    mask[:, 48:, :64] = 1
    hints = run("PhotochromHints", mask=mask, color="#d02020")
    assert all(hint.x < 0.5 and hint.y > 0.5 for hint in hints)
    assert 30 < len(hints) < 100
    plain, hinted = (run("PhotochromPhotograph", image=image[:1], **more) for more in ({}, {"hints": hints}))
    redder = (hinted[..., 0] - hinted[..., 2]) - (plain[..., 0] - plain[..., 2])
    assert float(redder[0, 48:, :64].mean()) > max(0.1, 3 * float(redder[0, :40, 80:].abs().mean()))


def test_masks_add_up_and_an_empty_one_adds_nothing():
    first = run("PhotochromHints", mask=torch.ones(8, 8), color="teal")
    both = run("PhotochromHints", mask=torch.zeros(8, 8), color="#fff", hints=first)
    assert both == first != ()
