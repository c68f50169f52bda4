"""What Apache DataSketches' own library for Python makes of sketches: of each file, of all merged, and of the same users.

Usage: sketches.py USERS FILE...; prints one JSON object. The users are user-00000000000, user-00000000001 and so on.
"""

import json
import sys
from pathlib import Path

import datasketches


def counted(sketch):
    return {
        "lg_k": sketch.lg_config_k,
        "estimate": sketch.get_estimate(),
        "lower": sketch.get_lower_bound(2),
        "upper": sketch.get_upper_bound(2),
        "image": sketch.serialize_compact().hex(),
    }


users = int(sys.argv[1])
sketches = [datasketches.hll_sketch.deserialize(Path(name).read_bytes()) for name in sys.argv[2:]]
union = datasketches.hll_union(14)
for sketch in sketches:
    union.update(sketch)
own = datasketches.hll_sketch(14, datasketches.HLL_8)
for number in range(users):
    own.update(f"user-{number:011}")
print(
    json.dumps(
        {
            "each": [counted(sketch) for sketch in sketches],
            "union": counted(union.get_result(datasketches.HLL_8)),
            "own": counted(own),
        }
    )
)
