"""ONNX Runtime on the CPU. For throughput: a session of one thread for each thread."""

import peer


class Runtime:
    def __init__(self, options, frame):
        import onnxruntime

        threads = 1 if options.throughput else options.threads
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        count = options.threads if options.throughput else 1
        self.sessions = [
            onnxruntime.InferenceSession(
                options.model, settings, providers=["CPUExecutionProvider"]
            )
            for _ in range(count)
        ]
        self.inputs = {self.sessions[0].get_inputs()[0].name: frame}
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def run(self):
        return self.sessions[0].run(None, self.inputs)

    def load(self, seconds):
        runs = [lambda session=session: session.run(None, self.inputs) for session in self.sessions]
        return peer.in_threads(runs, seconds)


peer.serve(["onnxruntime"], Runtime)
