"""What the peers share: their arguments, and the conversation with the benchmark.

A peer prints one line of JSON when it is ready: {"ready": "NAME VERSION"}, or {"missing": "MODULE"}
when it is not installed. Then it answers each line on its standard input with one line of JSON:

    run             {"ms": MILLISECONDS}                    the network once
    load SECONDS    {"frames": COUNT, "seconds": SECONDS}   as many frames as it can
    outputs FILE    {"values": COUNT}                       the outputs of one run into a file, as
                                                            float32, one output after the other
"""

import argparse
import importlib
import json
import os
import sys
import threading
import time


class Conversation:
    """Standard output for answers only: what libraries print goes to standard error."""

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **answer):
        self.out.write(json.dumps(answer) + "\n")
        self.out.flush()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="the ONNX file")
    parser.add_argument("--input", required=True, help="the input's values, float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--throughput", action="store_true", help="frames per second count")
    parser.add_argument("--shape", required=True, help="the input's sides, batch first: 1,3,416,416")
    parser.add_argument("--photos", help="a folder of photos to calibrate with")
    parser.add_argument("--cache", required=True, help="a folder for what is converted once")
    return parser.parse_args()


def serve(modules, make):
    """Makes a runtime, `make(arguments, input)`, and answers until the input ends.

    A runtime has `name`, `run()`, which gives the outputs, and `load(seconds)`, which gives how many
    frames were inferred; `modules` are what it needs.
    """
    conversation = Conversation()
    for module in ["numpy", *modules]:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            conversation.say(missing=error.name)
            return
    import numpy

    options = arguments()
    shape = [int(side) for side in options.shape.split(",")]
    values = numpy.fromfile(options.input, numpy.float32)
    frame = numpy.ascontiguousarray(numpy.resize(values, shape))
    runtime = make(options, frame)
    runtime.run()
    conversation.say(ready=runtime.name)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            started = time.perf_counter()
            runtime.run()
            conversation.say(ms=(time.perf_counter() - started) * 1000)
        elif command == "load":
            started = time.perf_counter()
            frames = runtime.load(float(argument))
            conversation.say(frames=frames, seconds=time.perf_counter() - started)
        elif command == "outputs":
            outputs = [numpy.asarray(output, numpy.float32).ravel() for output in runtime.run()]
            numpy.concatenate(outputs).tofile(argument)
            conversation.say(values=sum(output.size for output in outputs))
        else:
            sys.exit(f"unknown command: {command}")


def in_threads(runs, seconds):
    """Calls each of `runs` over and over in a thread of its own; gives the number of calls."""
    end = time.perf_counter() + seconds
    counts = [0] * len(runs)

    def work(place):
        while time.perf_counter() < end:
            runs[place]()
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def photos(folder, shape):
    """The photos of a folder as the network's inputs: letterboxed, from 0 to 1."""
    import numpy
    from PIL import Image

    _, _, height, width = shape
    endings = (".jpg", ".jpeg", ".png", ".webp")
    for name in sorted(os.listdir(folder)):
        if not name.lower().endswith(endings):
            continue
        photo = Image.open(os.path.join(folder, name)).convert("RGB")
        scale = min(width / photo.width, height / photo.height)
        fitted = (max(int(photo.width * scale), 1), max(int(photo.height * scale), 1))
        canvas = Image.new("RGB", (width, height), (128, 128, 128))
        place = ((width - fitted[0]) // 2, (height - fitted[1]) // 2)
        canvas.paste(photo.resize(fitted, Image.BILINEAR), place)
        planes = numpy.asarray(canvas, numpy.float32).transpose(2, 0, 1) / 255
        yield numpy.ascontiguousarray(planes[None])
