"""Decodes, sharpens and encodes a JPEG with Pillow, as MLVI's preprocessor does with a frame: pillow_peer.py FILE

Alone, it does so --runs times and prints the milliseconds of each step as JSON, minimum and median. With --ask it
prints its name first, and then the milliseconds of one run for each line on standard input. It uses one thread.
"""

import argparse
import io
import json
import statistics
import sys
import time

import PIL
from PIL import Image, ImageEnhance, features

STEPS = ("decode", "sharpen", "encode")


def run(jpeg, sharpness, quality):
    """Milliseconds of each step, and the bytes that came out."""
    times = [time.perf_counter()]
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    times.append(time.perf_counter())
    image = ImageEnhance.Sharpness(image).enhance(sharpness)
    times.append(time.perf_counter())
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    times.append(time.perf_counter())
    steps = [(end - start) * 1000 for start, end in zip(times, times[1:])]
    return dict(zip(STEPS, steps), bytes=out.tell())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--sharpness", type=float, default=1.2)
    parser.add_argument("--quality", type=int, default=90)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--ask", action="store_true")
    args = parser.parse_args()
    with open(args.file, "rb") as file:
        jpeg = file.read()
    codec = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg"
    name = f"Pillow {PIL.__version__} with {codec} {features.version('libjpeg_turbo') or features.version('jpg')}"
    if args.ask:
        print(json.dumps({"name": name}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(run(jpeg, args.sharpness, args.quality)), flush=True)
        return
    runs = [run(jpeg, args.sharpness, args.quality) for _ in range(args.runs)]
    series = {step: [times[step] for times in runs] for step in STEPS}
    series["all"] = [sum(times[step] for step in STEPS) for times in runs]
    summary = {step: {"min": min(times), "median": statistics.median(times)} for step, times in series.items()}
    print(json.dumps({"name": name, "runs": args.runs, "milliseconds": summary}))


if __name__ == "__main__":
    main()
