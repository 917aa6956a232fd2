"""ncnn on the CPU, float32. The package pnnx brings the program that converts ONNX to its format."""

import importlib.util
import os
import shutil
import subprocess
import sys

import peer


def converted(options, shape):
    """The paths of the network in ncnn's format; it is converted once for a cache."""
    folder = os.path.join(options.cache, "ncnn-" + "x".join(str(side) for side in shape))
    if not os.path.isdir(folder):
        package = importlib.util.find_spec("pnnx").submodule_search_locations[0]
        begun = folder + ".begun"
        os.makedirs(begun, exist_ok=True)
        model = shutil.copy(options.model, os.path.join(begun, "network.onnx"))
        sides = ",".join(str(side) for side in shape)
        command = [os.path.join(package, "pnnx"), model, f"inputshape=[{sides}]", "fp16=0"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        os.rename(begun, folder)
    return [os.path.join(folder, "network.ncnn." + part) for part in ("param", "bin")]


class Runtime:
    def __init__(self, options, frame):
        import ncnn

        # pnnx is not imported: it would want what it converts from
        self.ncnn = ncnn
        self.network = ncnn.Net()
        settings = self.network.opt
        settings.num_threads = options.threads
        settings.use_fp16_packed = False
        settings.use_fp16_storage = False
        settings.use_fp16_arithmetic = False
        settings.use_bf16_storage = False
        param, weights = converted(options, frame.shape)
        if self.network.load_param(param) or self.network.load_model(weights):
            sys.exit("ncnn cannot load what pnnx has converted")
        self.frame = ncnn.Mat(frame[0]).clone()
        self.name = f"ncnn {ncnn.__version__}"

    def run(self):
        import numpy

        extractor = self.network.create_extractor()
        extractor.input(self.network.input_names()[0], self.frame)
        outputs = []
        for name in self.network.output_names():
            code, output = extractor.extract(name)
            if code:
                sys.exit(f"ncnn gives no {name}: {code}")
            outputs.append(numpy.array(output))
        return outputs

    def load(self, seconds):
        return peer.in_threads([self.run], seconds)


def needed():
    # the conversion needs the program of the package alone
    return ["ncnn"] if importlib.util.find_spec("pnnx") else ["pnnx"]


peer.serve(needed(), Runtime)
