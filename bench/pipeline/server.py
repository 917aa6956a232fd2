"""Takes frames over HTTP, has a worker infer them over Kafka, and answers with the result.

    POST /cameras/CAMERA/frames    a JPEG; answers with the worker's JSON
"""

import argparse
import asyncio
import contextlib
import json
import sys
import uuid

try:
    import aiokafka
    import fastapi
    import uvicorn
except ModuleNotFoundError as error:
    print(json.dumps({"missing": error.name}), flush=True)
    sys.exit()

MAX_BYTES = 8 << 20
PATIENCE_S = 60


class Pipeline:
    """The frames that wait for their result, by id."""

    def __init__(self, options):
        self.topic = options.frames
        self.waiting = {}
        self.producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=options.brokers, acks="all", max_request_size=MAX_BYTES
        )
        self.consumer = aiokafka.AIOKafkaConsumer(
            options.results,
            bootstrap_servers=options.brokers,
            auto_offset_reset="latest",
            fetch_max_wait_ms=50,
        )

    @contextlib.asynccontextmanager
    async def running(self, _app):
        await self.producer.start()
        await self.consumer.start()
        reader = asyncio.create_task(self.read_results())
        print(json.dumps({"ready": "Python pipeline"}), flush=True)
        try:
            yield
        finally:
            reader.cancel()
            await self.consumer.stop()
            await self.producer.stop()

    async def read_results(self):
        async for message in self.consumer:
            waiting = self.waiting.get(message.key.decode())
            if waiting is not None and not waiting.done():
                waiting.set_result(message.value)

    async def infer(self, frame):
        frame_id = str(uuid.uuid4())
        result = asyncio.get_running_loop().create_future()
        self.waiting[frame_id] = result
        try:
            await self.producer.send_and_wait(self.topic, frame, key=frame_id.encode())
            return await asyncio.wait_for(result, PATIENCE_S)
        finally:
            del self.waiting[frame_id]


def app(options):
    pipeline = Pipeline(options)
    api = fastapi.FastAPI(lifespan=pipeline.running)

    @api.post("/cameras/{camera}/frames")
    async def frame(camera: str, request: fastapi.Request):
        body = await request.body()
        if not body:
            raise fastapi.HTTPException(400, "no image")
        try:
            result = await pipeline.infer(body)
        except asyncio.TimeoutError as error:
            raise fastapi.HTTPException(504, "no result in time") from error
        return fastapi.Response(result, media_type="application/json")

    return api


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--frames", required=True, help="the topic of frames")
    parser.add_argument("--results", required=True, help="the topic of results")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    # a Kafka client belongs to the event loop in which it is made
    config = uvicorn.Config(app(options), host="127.0.0.1", port=options.port, log_level="warning")
    await uvicorn.Server(config).serve()


asyncio.run(main())
