"""Decoding and resizing: exact where nothing is resized, Pillow's filters where it is, one line where it fails."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from selfloop import images as module
from selfloop.errors import UserError
from selfloop.images import FILTERS, EncodedImages, resized

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)


def encode(pixels: np.ndarray, mode=None, form="PNG") -> bytes:
    handle = io.BytesIO()
    Image.fromarray(pixels, mode).save(handle, form)
    return handle.getvalue()


def sources(pixels):
    return [(f"row {i}", encode(each)) for i, each in enumerate(pixels)]


def decode(items, **settings):
    return np.asarray(encoded(items, **settings))


def encoded(items, **settings) -> EncodedImages:
    return EncodedImages(len(items), lambda positions: (items[i] for i in positions), where="set", **settings)


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
        (
            {"resample": "cubic"},
            "set: filter 'cubic' is not one of nearest, box, bilinear, hamming, bicubic, lanczos, pad",
        ),
    ],
)
def test_settings_out_of_range(settings, expected):
    assert message(sources(COLOUR), **settings) == expected


def test_no_images():
    assert message([]) == "set: no images"


def test_fewer_images_than_promised():
    with pytest.raises(UserError, match=r"^set: 5 images where 6 are expected$"):
        np.asarray(EncodedImages(6, lambda positions: sources(COLOUR)[: len(positions)], where="set"))


def test_damaged_images_are_named_all_at_once():
    items = sources(COLOUR)
    items[1] = ("row 1", items[1][1][:60])
    items[3] = ("row 3", b"not an image")
    text = message(items)
    assert text.startswith("set: 2 of 5 images cannot be used: row 1 (cannot be decoded: ")
    assert "; row 3 (cannot be decoded: cannot identify image file" in text


def test_many_damaged_images_are_counted():
    text = message([*sources(COLOUR[:1]), *[(f"bad {i}", b"x") for i in range(9)]])
    assert text.startswith("set: 9 of 10 images cannot be used: bad 0 (") and text.endswith(") and 4 more")


def test_a_missing_file_is_named(tmp_path):
    text = message([("a.png", tmp_path / "a.png")])
    expected = "set: the first of 1 images cannot be used: a.png (cannot be decoded: [Errno 2] No such file"
    assert text.startswith(expected)


def test_an_image_of_another_size_is_named():
    items = [*sources(COLOUR), ("odd.png", encode(np.zeros((5, 7, 3), np.uint8)))]
    expected = "set: 1 of 6 images cannot be used: odd.png (7 x 5, the first is 6 x 6: set `size`)"
    assert message(items) == expected


def test_an_oblong_image_is_not_squeezed():
    text = message([("odd.png", encode(np.zeros((5, 7, 3), np.uint8)))], size=4)
    assert text.startswith("set: the first of 1 images cannot be used: odd.png (7 x 5 is not square: ")
    assert text.endswith("set `crop: true` for its centre)")


def test_a_colour_image_in_a_grey_set_is_not_silently_made_grey():
    items = [("grey.png", encode(COLOUR[0, :, :, 0])), ("red.png", encode(COLOUR[1]))]
    assert message(items) == "set: 1 of 2 images cannot be used: red.png (colour, the first is grey: set `mode`)"


def stored(image: Image.Image, form: str = "PNG", **options) -> list[tuple[str, bytes]]:
    handle = io.BytesIO()
    image.save(handle, form, **options)
    return [("one", handle.getvalue())]


def sixteen_bit_rgb_png() -> bytes:
    """A 1 x 1 PNG of 16 bits a channel, which Pillow can read (as its upper 8 bits) but not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 256, 511, 767)))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


def test_sixteen_bits_are_not_cut_to_eight():
    grey = stored(Image.fromarray(np.full((4, 4), 40000, np.uint16)))
    expected = "set: the first of 1 images cannot be used: {} (mode {}, more than 8 bits a channel: convert it first)"
    assert message(grey) == expected.format("one", "I;16")
    assert message([("deep", sixteen_bit_rgb_png())]) == expected.format("deep", "RGB")
    assert message(stored(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")) == expected.format("one", "F")


def test_transparency_is_dropped():
    pixels = np.concatenate([COLOUR[0], np.full((6, 6, 1), 3, np.uint8)], axis=2)
    np.testing.assert_array_equal(decode(stored(Image.fromarray(pixels, "RGBA")))[0], COLOUR[0].transpose(2, 0, 1))
    grey = Image.fromarray(pixels[..., [0, 3]], "LA")
    np.testing.assert_array_equal(decode(stored(grey))[0, 0], pixels[..., 0])


def test_a_palette_is_looked_up():
    image = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6) % 4, "P")
    image.putpalette([9, 8, 7, 60, 50, 40, 1, 2, 3, 200, 100, 0])
    wanted = np.array([[9, 8, 7], [60, 50, 40], [1, 2, 3], [200, 100, 0]], np.uint8)[np.arange(36).reshape(6, 6) % 4]
    np.testing.assert_array_equal(decode(stored(image))[0], wanted.transpose(2, 0, 1))


def test_a_cmyk_jpeg_becomes_rgb():
    cmyk = Image.new("CMYK", (8, 8), (255, 0, 0, 0))  # cyan ink alone
    answer = decode(stored(cmyk, "JPEG", quality=95))[0].astype(int)
    assert answer.shape == (3, 8, 8) and (abs(answer - np.array([0, 255, 255])[:, None, None]) <= 3).all()


def test_an_image_stands_as_its_camera_says():
    exif = Image.Exif()
    exif[274] = 6  # orientation: turn by 90 degrees clockwise
    answer = decode(stored(Image.fromarray(COLOUR[0][:4]), exif=exif))[0]
    np.testing.assert_array_equal(answer, np.rot90(COLOUR[0][:4], -1).transpose(2, 0, 1))


def test_an_animation_is_no_image():
    frames = [Image.fromarray(COLOUR[i]) for i in range(3)]
    text = message(stored(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert text == "set: the first of 1 images cannot be used: one (an animation of 3 pictures: keep one)"


def test_padding_keeps_every_pixel():
    answer = decode(sources(COLOUR), size=9, resample="pad")
    assert answer.shape == (5, 3, 9, 9)
    np.testing.assert_array_equal(answer[:, :, 1:7, 1:7], COLOUR.transpose(0, 3, 1, 2))
    assert answer.sum(dtype=int) == COLOUR.sum(dtype=int), "black around it"
    text = message(sources(COLOUR), size=5, resample="pad")
    assert "row 0 (6 x 6 does not fit into 5 x 5 with black around it: name a filter (nearest, box, " in text


@pytest.mark.parametrize("resample", [*FILTERS, "pad"])
def test_arrays_are_resized_as_files_are(resample):
    for pixels in (COLOUR, COLOUR[..., 0]):
        stack = np.atleast_3d(pixels).reshape(5, 6, 6, -1).transpose(0, 3, 1, 2)
        wanted = decode(sources(pixels), size=11, resample=resample)
        np.testing.assert_array_equal(resized(stack, 11, resample, "set"), wanted)
        assert resized(stack, None, resample, "set") is stack


def test_only_what_is_asked_for_is_decoded():
    """Images that nobody asks for may be damaged; positions come in any order, and more than once."""
    items = sources(COLOUR)
    items[1] = ("row 1", b"x")
    asked = []

    def read(positions):
        asked.append(list(positions))
        return (items[i] for i in positions)

    images = EncodedImages(5, read, where="set")
    assert images.shape == (5, 3, 6, 6) and images.dtype == np.uint8 and len(images) == 5
    wanted = COLOUR.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(images[np.array([4, 0, 4, 2])], wanted[[4, 0, 4, 2]])
    np.testing.assert_array_equal(images[-2:], wanted[3:])
    assert images[np.array([], int)].shape == (0, 3, 6, 6)
    assert asked == [[0], [0, 2, 4], [3, 4], []]
    with pytest.raises(UserError, match=r"^set: 1 of 5 images cannot be used: row 1 \(cannot be decoded"):
        np.asarray(images)


def test_progress_only_when_it_takes_long(capsys, monkeypatch):
    decode(sources(COLOUR))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "_FIRST_PROGRESS", 0.0)
    decode(sources(COLOUR))
    assert capsys.readouterr().err == "set: 1 of 5 images decoded\n"
