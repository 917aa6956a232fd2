"""Mean average precision by pycocotools: reads cases from a JSON file, prints a line `AP50 AP` for each.

A case has the form {"images": n, "classes": n, "truth": [[image, class, x, y, w, h, crowd], ...],
"found": [[image, class, confidence, x, y, w, h], ...]}. Ends with status 3 when pycocotools cannot be imported.
"""

import contextlib
import io
import json
import sys

try:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)


def precision(case):
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": image} for image in range(case["images"])],
        "categories": [{"id": category} for category in range(case["classes"])],
        # ids from 1: pycocotools takes 0 for "no match"
        "annotations": [
            {"id": index + 1, "image_id": image, "category_id": category, "bbox": [x, y, w, h], "area": w * h, "iscrowd": crowd}
            for index, (image, category, x, y, w, h, crowd) in enumerate(case["truth"])
        ],
    }
    truth.createIndex()
    found = truth.loadRes(
        [
            {"image_id": image, "category_id": category, "score": confidence, "bbox": [x, y, w, h]}
            for image, category, confidence, x, y, w, h in case["found"]
        ]
    )
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
for case in cases:
    with contextlib.redirect_stdout(io.StringIO()):
        ap50, ap = precision(case)
    print(repr(ap50), repr(ap))
