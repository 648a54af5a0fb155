"""Decoding and resizing: exact where nothing is resized, Pillow's filters where it is, one line where it fails."""

import io

import numpy as np
import pytest
from PIL import Image

from selfloop import images as module
from selfloop.errors import UserError
from selfloop.images import FILTERS, decode_images

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)


def encode(pixels: np.ndarray, mode=None, form="PNG") -> bytes:
    handle = io.BytesIO()
    Image.fromarray(pixels, mode).save(handle, form)
    return handle.getvalue()


def sources(pixels):
    return [(f"row {i}", encode(each)) for i, each in enumerate(pixels)]


def decode(items, **settings):
    return decode_images(items, len(items), where="set", **settings)


def message(items, **settings) -> str:
    with pytest.raises(UserError) as caught:
        decode(items, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_png_is_exact_and_channels_come_first():
    answer = decode(sources(COLOUR))
    assert answer.dtype == np.uint8 and answer.flags.c_contiguous
    np.testing.assert_array_equal(answer, COLOUR.transpose(0, 3, 1, 2))


def test_grey_has_one_channel_and_rgb_of_grey_three_equal_ones():
    grey = COLOUR[..., 0]
    np.testing.assert_array_equal(decode(sources(grey)), grey[:, None])
    np.testing.assert_array_equal(decode(sources(grey), mode="rgb"), np.repeat(grey[:, None], 3, axis=1))


def test_colour_to_grey_is_the_luma():
    answer = decode(sources(COLOUR), mode="grey")[:, 0]
    luma = COLOUR.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(answer - luma).max() <= 1  # Pillow rounds in fixed point


def test_a_path_and_its_bytes_are_the_same(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(encode(COLOUR[0]))
    np.testing.assert_array_equal(decode([("a", file)]), decode([("a", file.read_bytes())]))


@pytest.mark.parametrize("resample", FILTERS)
def test_constant_images_stay_constant(resample):
    flat = np.full((1, 9, 9, 3), 77, np.uint8)
    assert (decode(sources(flat), size=4, resample=resample) == 77).all()


def test_box_halving_is_the_mean_of_each_square():
    pixels = RNG.integers(0, 256, (1, 8, 8), dtype=np.uint8)
    wanted = pixels[0].reshape(4, 2, 4, 2).mean(axis=(1, 3))
    assert np.abs(decode(sources(pixels), size=4, resample="box")[0, 0] - wanted).max() <= 1  # rounds twice


def test_the_centre_is_cut_out():
    wide = RNG.integers(0, 256, (1, 4, 10), dtype=np.uint8)
    np.testing.assert_array_equal(decode(sources(wide), size=4, crop=True)[0, 0], wide[0, :, 3:7])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": 0}, "set: size 0 is not a whole number of pixels >= 1 (or null: as they are)"),
        ({"size": 2.5}, "set: size 2.5 is not a whole number of pixels >= 1 (or null: as they are)"),
        ({"mode": "gray"}, "set: mode 'gray' is not one of grey, rgb (or null: that of the first image)"),
        ({"resample": "cubic"}, "set: filter 'cubic' is not one of nearest, box, bilinear, hamming, bicubic, lanczos"),
    ],
)
def test_settings_out_of_range(settings, expected):
    assert message(sources(COLOUR), **settings) == expected


def test_no_images():
    assert message([]) == "set: no images"


def test_fewer_images_than_promised():
    with pytest.raises(UserError, match=r"^set: 5 images where 6 are expected$"):
        decode_images(sources(COLOUR), 6, where="set")


def test_damaged_images_are_named_all_at_once():
    items = sources(COLOUR)
    items[1] = ("row 1", items[1][1][:60])
    items[3] = ("row 3", b"not an image")
    text = message(items)
    assert text.startswith("set: 2 of 5 images cannot be used: row 1 (cannot be decoded: ")
    assert "; row 3 (cannot be decoded: cannot identify image file" in text


def test_many_damaged_images_are_counted():
    text = message([(f"row {i}", b"x") for i in range(9)])
    assert text.startswith("set: 9 of 9 images cannot be used: row 0 (") and text.endswith(") and 4 more")


def test_a_missing_file_is_named(tmp_path):
    text = message([("a.png", tmp_path / "a.png")])
    assert text.startswith("set: 1 of 1 images cannot be used: a.png (cannot be decoded: [Errno 2] No such file")


def test_an_image_of_another_size_is_named():
    items = [*sources(COLOUR), ("odd.png", encode(np.zeros((5, 7, 3), np.uint8)))]
    expected = "set: 1 of 6 images cannot be used: odd.png (7 x 5, the first is 6 x 6: set `size`)"
    assert message(items) == expected


def test_an_oblong_image_is_not_squeezed():
    text = message([("odd.png", encode(np.zeros((5, 7, 3), np.uint8)))], size=4)
    assert text == "set: 1 of 1 images cannot be used: odd.png (7 x 5 is not square: set `crop: true` for its centre)"


def test_a_colour_image_in_a_grey_set_is_not_silently_made_grey():
    items = [("grey.png", encode(COLOUR[0, :, :, 0])), ("red.png", encode(COLOUR[1]))]
    assert message(items) == "set: 1 of 2 images cannot be used: red.png (colour, the first is grey: set `mode`)"


def test_sixteen_bits_are_not_cut_to_eight():
    deep = Image.fromarray(np.full((4, 4), 40000, np.uint16))
    handle = io.BytesIO()
    deep.save(handle, "PNG")
    assert "more than 8 bits a channel: convert it first" in message([("deep.png", handle.getvalue())])


def test_progress_only_when_it_takes_long(capsys, monkeypatch):
    decode(sources(COLOUR))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "_FIRST_PROGRESS", 0.0)
    decode(sources(COLOUR))
    assert capsys.readouterr().err == "set: 1 of 5 images decoded\n"
