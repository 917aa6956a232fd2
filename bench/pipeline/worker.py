"""Takes frames from Kafka, sharpens them with Pillow, runs tiny-YOLOv3 in ONNX Runtime, and sends
what was found."""

import argparse
import asyncio
import io
import json
import sys
import time

try:
    import aiokafka
    import numpy
    import onnxruntime
    from PIL import Image, ImageEnhance
except ModuleNotFoundError as error:
    print(json.dumps({"missing": error.name}), flush=True)
    sys.exit()

MAX_BYTES = 8 << 20
SHARPNESS = 1.2
CONFIDENCE = 0.25
OVERLAP = 0.45
# tiny-YOLOv3's, in pixels of the input, by the cell's side
ANCHORS = {
    32: numpy.array([(81, 82), (135, 169), (344, 319)], numpy.float32),
    16: numpy.array([(10, 14), (23, 27), (37, 58)], numpy.float32),
}


def logistic(values):
    return 1 / (1 + numpy.exp(-values))


class Detector:
    def __init__(self, model, threads):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model, settings, providers=["CPUExecutionProvider"]
        )
        network_input = self.session.get_inputs()[0]
        self.input_name = network_input.name
        _, _, self.height, self.width = network_input.shape

    def detect(self, frame):
        """The worker's answer to a JPEG."""
        image = Image.open(io.BytesIO(frame)).convert("RGB")
        image = ImageEnhance.Sharpness(image).enhance(SHARPNESS)
        values, scale, left, top = self.letterbox(image)
        # one thread infers on the caller's thread, so that this is the model's processor time
        cpu, wall = time.thread_time(), time.perf_counter()
        heads = self.session.run(None, {self.input_name: values})
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        boxes = numpy.concatenate([self.boxes(head[0]) for head in heads])
        kept = suppress(boxes)
        detections = [
            {
                "class_id": int(row[5]),
                "confidence": float(row[4]),
                "box": {
                    "x": float((row[0] - row[2] / 2 - left) / scale),
                    "y": float((row[1] - row[3] / 2 - top) / scale),
                    "width": float(row[2] / scale),
                    "height": float(row[3] / scale),
                },
            }
            for row in kept
        ]
        return {
            "detections": detections,
            "model_cpu_ms": cpu * 1000,
            "model_ms": wall * 1000,
        }

    def letterbox(self, image):
        scale = min(self.width / image.width, self.height / image.height)
        width, height = int(image.width * scale), int(image.height * scale)
        left, top = (self.width - width) // 2, (self.height - height) // 2
        canvas = numpy.full((self.height, self.width, 3), 0.5, numpy.float32)
        fitted = numpy.asarray(image.resize((width, height), Image.BILINEAR), numpy.float32)
        canvas[top : top + height, left : left + width] = fitted / 255
        values = numpy.ascontiguousarray(canvas.transpose(2, 0, 1)[None])
        return values, scale, left, top

    def boxes(self, head):
        """Rows of centre x, y, width, height (pixels of the input), confidence, class."""
        _, rows, columns = head.shape
        cell = self.width // columns
        anchors = ANCHORS[cell]
        head = head.reshape(len(anchors), -1, rows, columns)
        objectness = logistic(head[:, 4])
        anchor, row, column = numpy.nonzero(objectness > CONFIDENCE)
        found = head[anchor, :, row, column]
        classes = logistic(found[:, 5:]) * objectness[anchor, row, column][:, None]
        best = classes.argmax(1)
        confidence = classes[numpy.arange(len(best)), best]
        x = (column + logistic(found[:, 0])) * cell
        y = (row + logistic(found[:, 1])) * cell
        size = numpy.exp(found[:, 2:4]) * anchors[anchor]
        all_rows = numpy.stack([x, y, size[:, 0], size[:, 1], confidence, best], axis=1)
        return all_rows[confidence > CONFIDENCE]


def overlap(one, other):
    """Intersection over union of two boxes."""
    sides = [
        max(
            0,
            min(one[axis] + one[axis + 2] / 2, other[axis] + other[axis + 2] / 2)
            - max(one[axis] - one[axis + 2] / 2, other[axis] - other[axis + 2] / 2),
        )
        for axis in (0, 1)
    ]
    common = sides[0] * sides[1]
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def suppress(boxes):
    """The most confident box of each object."""
    kept = []
    for row in sorted(boxes, key=lambda row: -row[4]):
        if all(row[5] != other[5] or overlap(row, other) < OVERLAP for other in kept):
            kept.append(row)
    return kept


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--frames", required=True, help="the topic of frames")
    parser.add_argument("--results", required=True, help="the topic of results")
    parser.add_argument("--model", required=True, help="tiny-YOLOv3 as ONNX")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    detector = Detector(options.model, options.threads)
    consumer = aiokafka.AIOKafkaConsumer(
        options.frames,
        bootstrap_servers=options.brokers,
        group_id="python-pipeline",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_BYTES,
        fetch_max_wait_ms=50,
    )
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=options.brokers, acks="all")
    await producer.start()
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    print(json.dumps({"ready": f"worker with ONNX Runtime {onnxruntime.__version__}"}), flush=True)
    async for message in consumer:
        result = await asyncio.to_thread(detector.detect, message.value)
        await producer.send_and_wait(options.results, json.dumps(result).encode(), key=message.key)
        await consumer.commit()


asyncio.run(main())
