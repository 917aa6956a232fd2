"""OpenVINO on the CPU, with its hints for latency or throughput and for the precision.

int8 is OpenVINO's own: the network is quantised after training by NNCF, on a folder of photos.
"""

import os
import sys

import peer

PRECISIONS = {"f32": "f32", "bf16": "bf16", "int8": "f32"}


def quantised(core, options, shape):
    """The network in int8; it is calibrated once for a cache."""
    import nncf
    import openvino

    path = os.path.join(options.cache, "openvino-int8.xml")
    if not os.path.exists(path):
        if not options.photos:
            sys.exit("int8 needs a folder of photos to calibrate with")
        inputs = list(peer.photos(options.photos, shape))
        if not inputs:
            sys.exit(f"no photos are in {options.photos}")
        model = nncf.quantize(
            core.read_model(options.model), nncf.Dataset(inputs), subset_size=len(inputs)
        )
        openvino.save_model(model, path, compress_to_fp16=False)
    return core.read_model(path)


class Runtime:
    def __init__(self, options, frame):
        import openvino

        core = openvino.Core()
        if options.precision == "int8":
            model = quantised(core, options, frame.shape)
        else:
            model = core.read_model(options.model)
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if options.throughput else "LATENCY",
            "INFERENCE_NUM_THREADS": options.threads,
            "INFERENCE_PRECISION_HINT": PRECISIONS[options.precision],
        }
        self.compiled = core.compile_model(model, "CPU", settings)
        self.request = self.compiled.create_infer_request()
        self.frame = frame
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"

    def run(self):
        self.request.infer([self.frame])
        return [self.request.get_output_tensor(place).data for place in range(self.outputs())]

    def outputs(self):
        return len(self.compiled.outputs)

    def load(self, seconds):
        import time

        import openvino

        queue = openvino.AsyncInferQueue(self.compiled)
        end = time.perf_counter() + seconds
        frames = 0
        while time.perf_counter() < end:
            queue.start_async([self.frame])
            frames += 1
        queue.wait_all()
        return frames


NEEDED = ["openvino", "nncf", "PIL"] if "int8" in sys.argv else ["openvino"]
peer.serve(NEEDED, Runtime)
