"""Writes JPEGs of every coding and what Pillow makes of each: corpus.py FOLDER

FOLDER/index has a line for each file: kind, "whole" or "damaged", name, what Pillow says, width, height.
FOLDER/other has a few files of the other formats, which nothing is said about.
Pillow says "pixels" (NAME.rgb has them, upright), "partly" (only with LOAD_TRUNCATED_IMAGES) or "nothing".
"""

import io
import random
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps

from encoder import encode, segment

SIZES = [(1, 1), (2, 1), (1, 2), (7, 9), (8, 8), (9, 8), (16, 16), (17, 15), (33, 17), (31, 64), (160, 120)]
SAMPLINGS = {
    "4:4:4": [(1, 1), (1, 1), (1, 1)],
    "4:2:2": [(2, 1), (1, 1), (1, 1)],
    "4:2:0": [(2, 2), (1, 1), (1, 1)],
    "4:4:0": [(1, 2), (1, 1), (1, 1)],
    "4:1:1": [(4, 1), (1, 1), (1, 1)],
    "4:1:0": [(4, 2), (1, 1), (1, 1)],
    "4:4:1": [(1, 4), (1, 1), (1, 1)],
    "2x2,2x1,2x1": [(2, 2), (2, 1), (2, 1)],
    "2x2,1x2,1x2": [(2, 2), (1, 2), (1, 2)],
    "2x1,2x1,2x1": [(2, 1), (2, 1), (2, 1)],
    "2x1,1x1,2x1": [(2, 1), (1, 1), (2, 1)],
    "1x1,2x2,2x2": [(1, 1), (2, 2), (2, 2)],
    "4x1,2x1,1x1": [(4, 1), (2, 1), (1, 1)],
    "3x1,1x1,1x1": [(3, 1), (1, 1), (1, 1)],
}
JFIF = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")


def adobe(transform):
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def picture(width, height, seed=0):
    """Gradients, edges and grain, without symmetries."""
    noise = np.random.default_rng(width * 1000 + height + seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 199 // max(width, 1), y * 199 // max(height, 1), (x + 2 * y) * 199 // (width + 2 * height)], axis=-1)
    edges = (((x // 5) ^ (y // 7)) % 3 == 0)[..., None] * 40
    return np.clip(base + edges + noise.integers(0, 14, (height, width, 3)), 0, 255).astype(np.uint8)


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def by_pillow():
    for size in SIZES:
        image = Image.fromarray(picture(*size))
        for subsampling in (0, 1, 2):
            for options in ({}, {"optimize": True}, {"progressive": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}):
                for quality in (30, 92, 100):
                    yield "-".join(["pillow", *options]), saved(image, subsampling=subsampling, quality=quality, **options)
        for options in ({}, {"progressive": True}):
            yield "grey", saved(image.convert("L"), **options)
            yield "cmyk", saved(image.convert("CMYK"), quality=90, **options)
            yield "rgb", saved(image, keep_rgb=True, quality=90, **options)


def by_ours():
    for size in SIZES:
        rgb = picture(*size)
        for name, sampling in SAMPLINGS.items():
            yield f"sampling {name}", encode(rgb, sampling=sampling, head=JFIF)
            yield "restarts", encode(rgb, sampling=sampling, restart=1)
            yield "restarts", encode(rgb, sampling=sampling, restart=5)
            yield "restarts and stray bytes", encode(rgb, sampling=sampling, restart=3, before_rst=lambda n: b"\0\x11\x22"[: n % 4])
            for scans in ([(0,), (1,), (2,)], [(0,), (1, 2)], [(0, 1), (2,)], [(2,), (0,), (1,)]):
                yield "scans apart", encode(rgb, sampling=sampling, scans=scans)
                yield "scans apart with restarts", encode(rgb, sampling=sampling, scans=scans, restart=2)
            bands = [((0, 1, 2), 0, 0), ((1,), 1, 5), ((0,), 1, 63), ((2,), 1, 63), ((1,), 6, 63)]
            yield "progressive by bands", encode(rgb, sampling=sampling, sof=0xC2, bands=bands)
            yield "progressive, last scans missing", encode(rgb, sampling=sampling, sof=0xC2, bands=bands[:3])
        yield from without_colour_rules(rgb)
        yield from oddities(rgb)


def without_colour_rules(rgb):
    for head in (b"", JFIF, adobe(0), adobe(1), adobe(2), adobe(77), JFIF + adobe(0), segment(0xE0, b"JFIF\0\x07\x01\0\0\x01\0\x01\0\0")):
        yield "colour transforms", encode(rgb, head=head)
        yield "colour transforms", encode(rgb, colours="rgb", ids=[82, 71, 66], head=head)
        yield "colour transforms", encode(rgb, ids=[0, 1, 2], head=head)
        yield "colour transforms", encode(rgb, ids=[34, 35, 36], head=head)
        yield "colour transforms", encode(rgb, colours="cmyk", head=head)
        yield "colour transforms", encode(rgb, colours="cmyk", sampling=[(2, 2), (1, 1), (1, 1), (2, 2)], head=head)
        yield "colour transforms", encode(rgb, colours="grey", head=head)
        yield "grey with sampling", encode(rgb, colours="grey", sampling=[(2, 2)], head=head)


def oddities(rgb):
    half = SAMPLINGS["4:2:0"]
    yield "no Huffman tables", encode(rgb, tables=False)
    yield "no Huffman tables", encode(rgb, tables=False, sampling=half, head=segment(0xE0, b"AVI1\0\0\0\0"))
    yield "no Huffman tables", encode(rgb, tables=False, sampling=half, restart=4)
    yield "no Huffman tables", encode(rgb, tables=False, sampling=half, scans=[(0,), (1,), (2,)])
    yield "no Huffman tables", encode(rgb, tables=False, colours="grey")
    yield "spectrum of a scan", encode(rgb, sampling=half, spectrum=b"\0\0\0")
    yield "spectrum of a scan", encode(rgb, scans=[(0,), (1,), (2,)], spectrum=b"\0\x40\x10")
    yield "extended sequential", encode(rgb, sof=0xC1, sampling=half)
    for stray in (b"\0", b"\0\0\0", bytes(8), b"\x12\x34" * 100, b"\xff\0\xff\0", b"\xff\xff\xff"):
        whole = encode(rgb, sampling=half, head=JFIF, before_sos=stray)
        yield "stray bytes before the scan", whole
        yield "stray bytes between scans", encode(rgb, sampling=half, scans=[(0,), (1,), (2,)], before_sos=stray)
        for after in (1, 2, 3):
            at = nth_segment(whole, after)
            yield "stray bytes between segments", whole[:at] + stray + whole[at:]
        plain = encode(rgb, sampling=half)
        yield "stray bytes before the end", plain[:-2] + stray + plain[-2:]
        yield "behind the end", plain + stray + plain
    for length in (8, 16, 200):
        noise = bytes(random.Random(length).randrange(255) for _ in range(length))
        yield "stray bytes before the end", plain[:-2] + noise + plain[-2:]
    yield "a restart behind the last pixel", plain[:-2] + b"\xff\xd0" + plain[-2:]
    yield "comments", encode(rgb, head=segment(0xFE, b"\xff\xd8\xff\xd9" * 9) + segment(0xEF, bytes(60_000)))


def nth_segment(jpeg, n):
    at = 2
    for _ in range(n):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at


def damaged():
    dice = random.Random(7)
    rgb = picture(160, 120)
    image = Image.fromarray(rgb)
    kinds = [
        saved(image, quality=90),
        saved(image, quality=90, progressive=True),
        saved(image, quality=90, restart_marker_blocks=4),
        saved(image.convert("L")),
        encode(rgb, sampling=SAMPLINGS["4:2:0"], scans=[(0,), (1,), (2,)]),
        encode(rgb, tables=False),
        saved(image.convert("CMYK")),
    ]
    for whole in kinds:
        for _ in range(30):
            cut = dice.randrange(4, len(whole))
            yield "cut off", whole[:cut]
            yield "cut off and closed", whole[:cut] + b"\xff\xd9"
            yield "a gap", whole[:cut] + whole[cut + dice.randrange(1, 300) :]
            yield "a piece twice", whole[:cut] + whole[max(0, cut - 50) :]
            flipped = bytearray(whole)
            for _ in range(dice.randrange(1, 4)):
                flipped[dice.randrange(2, len(flipped))] ^= 1 << dice.randrange(8)
            yield "flipped bits", bytes(flipped)
            zeros = bytearray(whole)
            zeros[cut : cut + 64] = bytes(len(zeros[cut : cut + 64]))
            yield "zeros inside", bytes(zeros)
        for missing in (1, 2, 3, 4):
            yield "no end", whole[:-missing]


def orientations():
    for little in (True, False):
        for value in range(0, 10):
            for kind in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 99):
                yield from forms(little, kind, value)


def forms(little, kind, value):
    order = "little" if little else "big"

    def number(n, size):
        return (n % (1 << 8 * size)).to_bytes(size, order)

    def tiff(count=1, offset=8, entries=None, field=None, behind=b""):
        head = (b"II*\0" if little else b"MM\0*") + number(offset, 4) + bytes(max(0, offset - 8))
        entry = number(274, 2) + number(kind, 2) + number(count, 4) + (field if field is not None else data(count))[:4].ljust(4, b"\0")
        return b"Exif\0\0" + head + number(1 if entries is None else entries, 2) + entry + number(0, 4) + behind

    def data(count):
        size = {3: 2, 8: 2, 4: 4, 9: 4, 13: 4}.get(kind, 1)
        return number(value, size) * min(count, 4)

    def app1(content):
        return segment(0xE1, content)

    def xmp(n):
        return app1(b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>' % n)

    far = number(26, 4)
    plain = app1(tiff())
    yield "exif: plain", JFIF + plain
    if kind in (3, 4):
        yield "exif: before JFIF", plain + JFIF
        yield "exif: XMP before", xmp(3) + plain
        yield "exif: XMP behind", plain + xmp(3)
        yield "exif: two blocks", app1(tiff()) + app1(tiff(field=number(3, 4)))
        yield "exif: split in two", app1(tiff()[:20]) + app1(b"Exif\0\0" + tiff()[20:])
        yield "exif: Exif twice", app1(b"Exif\0\0" + tiff())
        for offset in (9, 12, 100, 0, 7, 0xFFFFFFFF, 0x7FFFFFFF):
            broken = tiff(offset=min(offset, 100)) if offset < 1000 else tiff()[:10] + number(offset, 4) + tiff()[14:]
            yield "exif: offset of the directory", app1(broken)
        for entries in (0, 2, 500, 65535):
            yield "exif: number of entries", app1(tiff(entries=entries))
        for count in (0, 2, 3, 4, 1000, 2**31, 2**32 - 1):
            for field in (far, number(2**32 - 1, 4), number(6, 4)):
                yield "exif: count", app1(tiff(count=count, field=field, behind=number(value, 4) * 4))
        ahead = number(271, 2) + number(2, 2) + number(40, 4) + number(90_000, 4)
        block = tiff()
        yield "exif: another tag lies outside", app1(block[:14] + number(2, 2) + ahead + block[16:])
        wild = number(271, 2) + number(2, 2) + number(2**31, 4) + number(8, 4)
        yield "exif: another tag claims too much", app1(block[:14] + number(2, 2) + wild + block[16:])
    if kind in (5, 10, 12, 16):
        yield "exif: eight bytes", app1(tiff(field=far, behind=number(value, 4) + number(1, 4)))
    if kind == 3 and little:
        yield "xmp alone", xmp(value)
        yield "xmp alone", app1(b"http://ns.adobe.com/xap/1.0/\0<tiff:Orientation>%d</tiff:Orientation>" % value)
        yield "xmp alone", app1(b"http://ns.adobe.com/xap/1.0/\0<tiff:Orientation='6' tiff:Orientation=\"x\"/>" + b"%d" % value)
        yield "exif: without the tag", app1(b"Exif\0\0II*\0\x08\0\0\0\0\0") + xmp(value)


def everything():
    for kind, jpeg in by_pillow():
        yield kind, "whole", jpeg
    for kind, jpeg in by_ours():
        yield kind, "whole", jpeg
    base = saved(Image.fromarray(picture(24, 16)), quality=95)
    for kind, head in orientations():
        yield kind, "whole", b"\xff\xd8" + head + base[2:]
    for kind, jpeg in damaged():
        yield kind, "damaged", jpeg


def upright(jpeg, partly):
    ImageFile.LOAD_TRUNCATED_IMAGES = partly
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        image.load()
        return ImageOps.exif_transpose(image).convert("RGB")


def answer(jpeg):
    for says, partly in (("pixels", False), ("partly", True)):
        try:
            return says, upright(jpeg, partly)
        except Exception:
            continue
    return "nothing", None


def others(folder):
    folder.mkdir()
    image = Image.fromarray(picture(40, 30))
    clear = image.convert("RGBA")
    clear.putalpha(Image.fromarray(picture(40, 30)[..., 0]))
    for name, one in (("rgb", image), ("rgba", clear)):
        exif = Image.Exif()
        exif[274] = 6
        one.save(folder / f"{name}.png", exif=exif, icc_profile=bytes(300))
        for lossless in (False, True):
            one.save(folder / f"{name}-{lossless}.webp", lossless=lossless, exif=exif, xmp=b"<x/>", icc_profile=bytes(300))
            one.save(folder / f"{name}-{lossless}-animated.webp", lossless=lossless, save_all=True, append_images=[one.rotate(90)])
    image.convert("P").save(folder / "palette.png")


def main():
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    others(folder / "other")
    with open(folder / "index", "w") as index:
        for number, (kind, state, jpeg) in enumerate(everything()):
            says, image = answer(jpeg)
            name = f"{number:05}"
            (folder / f"{name}.jpg").write_bytes(jpeg)
            width, height = image.size if image else (0, 0)
            if image:
                (folder / f"{name}.rgb").write_bytes(image.tobytes())
            print(kind, state, name, says, width, height, sep="\t", file=index)


main()
