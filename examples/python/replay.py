"""Replays a trace to an app of a gateway through one stream, and prints the counts of its verdicts as JSON.

    pip install grpcio grpcio-tools
    python examples/python/replay.py TRACE [--server HOST:PORT | unix:///PATH] --app APP

The trace's times are not sent: everything happens now. Changes of edition are left out.
"""

import argparse
import collections
import gzip
import itertools
import json

from gateway import api, channel, services

BATCH = 128
OPERATIONS = api.Operation.DESCRIPTOR.oneofs_by_name["operation"].fields
KINDS = {field.name: field.message_type._concrete_class for field in OPERATIONS}


def operations(path):
    """The trace's operations, each as a message."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = json.loads(line)
            name = fields.pop("op")
            del fields["at"]
            if name == "set_edition":
                continue
            if name not in KINDS:
                raise SystemExit(f"{path}:{number}: there is no operation {name}")
            yield api.Operation(**{name: KINDS[name](**fields)})


def batches(path, app, sent):
    """The operations in batches, whose names are kept in `sent` until they are answered."""
    remaining = operations(path)
    for number in itertools.count(1):
        batch = list(itertools.islice(remaining, BATCH))
        if not batch:
            return
        sent[number] = [operation.WhichOneof("operation") for operation in batch]
        yield api.AdmitBatchRequest(sdk_app_id=app, batch_id=number, operations=batch)


def replay(path, server, app):
    verdicts = collections.defaultdict(collections.Counter)
    sent = {}
    with channel(server) as connection:
        gateway = services.AdmissionServiceStub(connection)
        for answer in gateway.AdmitStream(batches(path, app, sent)):
            names = sent.pop(answer.batch_id)
            if answer.HasField("error"):
                raise SystemExit(f"batch {answer.batch_id}: {answer.error.message}")
            for name, result in zip(names, answer.results, strict=True):
                allowed = result.outcome == api.ALLOWED
                verdicts[name]["ALLOWED" if allowed else api.Reason.Name(result.reason)] += 1
    if sent:
        raise SystemExit(f"the gateway left {len(sent)} batches unanswered")
    return verdicts


def main():
    parser = argparse.ArgumentParser(description="Replays a trace to an app of a gateway.")
    parser.add_argument("trace", help="one JSON object a line, plain or .gz")
    parser.add_argument("--server", default="127.0.0.1:7600", metavar="ADDR")
    parser.add_argument("--app", type=int, required=True)
    arguments = parser.parse_args()
    print(json.dumps(replay(arguments.trace, arguments.server, arguments.app), sort_keys=True))


if __name__ == "__main__":
    main()
