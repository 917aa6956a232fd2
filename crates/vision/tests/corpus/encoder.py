"""A small JPEG encoder that can do what Pillow's cannot: any sampling, scans apart, restarts anywhere, tables left out."""

import numpy as np

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
BASIS = np.array([[np.sqrt((1 if u == 0 else 2) / 8) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)] for u in range(8)])
QUANTA = np.array([3 + (i // 8 + i % 8) for i in range(64)])

# ITU-T T.81, K.3.3: how many codes there are of each length, and what they stand for
DC = [
    ([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], list(range(12))),
    ([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], list(range(12))),
]
AC = [
    (
        [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
        bytes.fromhex(
            "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
            "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
            "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
        ),
    ),
    (
        [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
        bytes.fromhex(
            "0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738"
            "393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5"
            "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
        ),
    ),
]


def codes(table):
    found, code, values = {}, 0, iter(table[1])
    for length, count in enumerate(table[0], 1):
        for _ in range(count):
            found[next(values)] = (code, length)
            code += 1
        code <<= 1
    return found


DC_CODES, AC_CODES = [codes(t) for t in DC], [codes(t) for t in AC]


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


class Bits:
    def __init__(self):
        self.value, self.count, self.data = 0, 0, bytearray()

    def put(self, value, count):
        self.value = self.value << count | value
        self.count += count
        while self.count >= 8:
            self.count -= 8
            byte = self.value >> self.count & 0xFF
            self.data.append(byte)
            if byte == 0xFF:
                self.data.append(0)
        self.value &= (1 << self.count) - 1

    def number(self, value, size):
        self.put(value if value >= 0 else value + (1 << size) - 1, size)

    def flush(self):
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)


def planes(rgb, colours):
    """The components of a picture: grey, YCbCr, RGB as it is, inverted CMYK."""
    r, g, b = (rgb[..., i].astype(float) for i in range(3))
    if colours == "rgb":
        return [r, g, b]
    if colours == "cmyk":
        black = np.full_like(r, 230)
        return [r, g, b, black]
    y = 0.299 * r + 0.587 * g + 0.114 * b
    if colours == "grey":
        return [y]
    return [y, (b - y) * 0.564 + 128, (r - y) * 0.713 + 128]


def coefficients(plane, width, height, h, v, hmax, vmax):
    """Quantised blocks [row, column, 64] in zigzag order, for whole MCUs."""
    mcus_x, mcus_y = -(-width // (8 * hmax)), -(-height // (8 * vmax))
    rows, columns = mcus_y * v * 8, mcus_x * h * 8
    y = np.minimum((np.arange(rows) * vmax) // v, height - 1)
    x = np.minimum((np.arange(columns) * hmax) // h, width - 1)
    blocks = plane[np.ix_(y, x)].reshape(rows // 8, 8, columns // 8, 8).transpose(0, 2, 1, 3) - 128
    spectra = BASIS @ blocks @ BASIS.T
    flat = spectra.reshape(rows // 8, columns // 8, 64)[..., ZIGZAG]
    return np.rint(flat / QUANTA).astype(int)


def block(bits, coefs, table, previous, first, last):
    if first == 0:
        difference = int(coefs[0]) - previous
        size = abs(difference).bit_length()
        bits.put(*DC_CODES[table][size])
        bits.number(difference, size)
    if last == 0:
        return
    run = 0
    for k in range(max(first, 1), last + 1):
        value = int(coefs[k])
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*AC_CODES[table][0xF0])
            run -= 16
        size = abs(value).bit_length()
        bits.put(*AC_CODES[table][run << 4 | size])
        bits.number(value, size)
        run = 0
    if run:
        bits.put(*AC_CODES[table][0])


def scan(frame, members, restart, first, last, breaker):
    """Entropy-coded data; `breaker(n)` gives bytes that stand before the n-th restart marker."""
    width, height, sampling, blocks = frame
    hmax, vmax = max(h for h, _ in sampling), max(v for _, v in sampling)
    bits = Bits()
    previous = dict.fromkeys(members, 0)
    if len(members) == 1:
        # T.81, A.2.2: a scan of one component has its own blocks only, none of padding
        c = members[0]
        across = -(-(-(-width * sampling[c][0] // hmax)) // 8)
        down = -(-(-(-height * sampling[c][1] // vmax)) // 8)
        units = [[(c, y, x)] for y in range(down) for x in range(across)]
    else:
        across, down = -(-width // (8 * hmax)), -(-height // (8 * vmax))
        units = [
            [(c, my * sampling[c][1] + y, mx * sampling[c][0] + x) for c in members for y in range(sampling[c][1]) for x in range(sampling[c][0])]
            for my in range(down)
            for mx in range(across)
        ]
    for n, unit in enumerate(units):
        if restart and n and n % restart == 0:
            bits.flush()
            bits.data += breaker(n // restart) + bytes([0xFF, 0xD0 + (n // restart - 1) % 8])
            previous = dict.fromkeys(members, 0)
        for c, y, x in unit:
            coefs = blocks[c][y, x]
            block(bits, coefs, min(c, 1), previous[c], first, last)
            previous[c] = int(coefs[0])
    bits.flush()
    return bytes(bits.data)


def encode(
    rgb, colours="ycc", sampling=None, scans=None, restart=0, tables=True, sof=0xC0, head=b"", ids=None, before_sos=b"",
    before_rst=lambda n: b"", bands=None, spectrum=b"\0\x3f\0",
):
    """A JPEG of `rgb` [height, width, 3].

    sampling: (h, v) of each component; scans: which components each scan has; head: segments behind the start;
    bands: frequencies of each scan of a progressive file, with its components.
    """
    height, width, _ = rgb.shape
    components = planes(rgb, colours)
    sampling = sampling or [(1, 1)] * len(components)
    hmax, vmax = max(h for h, _ in sampling), max(v for _, v in sampling)
    blocks = [coefficients(p, width, height, h, v, hmax, vmax) for p, (h, v) in zip(components, sampling)]
    frame = (width, height, sampling, blocks)
    ids = ids or range(1, len(components) + 1)
    out = b"\xff\xd8" + head + segment(0xDB, b"\0" + bytes(int(q) for q in QUANTA))
    listed = b"".join(bytes([i, h << 4 | v, 0]) for i, (h, v) in zip(ids, sampling))
    out += segment(sof, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([len(components)]) + listed)
    if tables:
        for kind, pair in ((0, DC), (1, AC)):
            for number, (counts, values) in enumerate(pair):
                out += segment(0xC4, bytes([kind << 4 | number]) + bytes(counts) + bytes(values))
    if restart:
        out += segment(0xDD, restart.to_bytes(2, "big"))
    all_of_it = [(members, 0, 63) for members in scans or [tuple(range(len(components)))]]
    for members, first, last in bands or all_of_it:
        named = b"".join(bytes([ids[c], min(c, 1) << 4 | min(c, 1)]) for c in members)
        range_of = bytes([first, last, 0]) if bands else spectrum
        out += before_sos + segment(0xDA, bytes([len(members)]) + named + range_of)
        out += scan(frame, members, restart, first, last, before_rst)
    return out + b"\xff\xd9"
