"""OpenCV's DNN module on the CPU."""

import peer


class Runtime:
    def __init__(self, options, frame):
        import cv2

        cv2.setNumThreads(options.threads)
        self.network = cv2.dnn.readNetFromONNX(options.model)
        self.outputs = self.network.getUnconnectedOutLayersNames()
        self.frame = frame
        self.name = f"OpenCV {cv2.__version__}"

    def run(self):
        self.network.setInput(self.frame)
        return self.network.forward(self.outputs)

    def load(self, seconds):
        return peer.in_threads([self.run], seconds)


peer.serve(["cv2"], Runtime)
