"""Runs an ONNX file once for each line on standard input and prints the milliseconds; one thread."""

import sys
import time

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
model_input = session.get_inputs()[0]
frame = numpy.random.default_rng(0).random(model_input.shape, dtype=numpy.float32)
session.run(None, {model_input.name: frame})
print("ONNX Runtime", onnxruntime.__version__, flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    session.run(None, {model_input.name: frame})
    print((time.perf_counter() - started) * 1000, flush=True)
