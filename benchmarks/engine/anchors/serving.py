"""The anchors' side of the talk (operations.ts): one JSON line in, one out. Times are of this process, all threads."""
import argparse
import json
import resource
import sys
import time
import traceback


def now():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, time.perf_counter()


def since(start, tokens, **more):
    cpu, wall = now()
    return dict(cpu=cpu - start[0], wall=wall - start[1], tokens=tokens, **more)


def parse(description, *options):
    parser = argparse.ArgumentParser(description=description)
    for option in options:
        parser.add_argument(option, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def skip(reason):
    print(json.dumps(dict(skip=reason)), flush=True)
    sys.exit(0)


def serve(label, **operations):
    """Each operation takes the fields of its line and gives what was measured, or None."""
    print(json.dumps(dict(ready=label)), flush=True)
    for line in sys.stdin:
        fields = json.loads(line)
        operation = operations.get(fields.pop("op"))
        try:
            answer = operation(**fields) if operation else None
        except Exception:
            answer = dict(error=traceback.format_exc())
        print(json.dumps(answer or dict(none=True)), flush=True)


_salt = [100]


def prompt_ids(length, vocabulary=4096):
    """Scattered over the vocabulary; another at each call."""
    _salt[0] += 1
    return [5 + (index * 7919 + _salt[0] * 104729 + 17) % (vocabulary - 10) for index in range(length)]


def one_by_one(requests, gap, tokens, answer):
    """Requests that come one by one to an engine that serves one at a time; `answer(on_first)` makes one answer."""
    start = now()
    first = 0.0
    for index in range(requests):
        arrives = start[1] + index * gap / 1000
        time.sleep(max(0, arrives - time.perf_counter()))
        seen = []
        answer(lambda: seen or seen.append(time.perf_counter() - arrives))
        first += seen[0]
    return since(start, requests * tokens, first=first / requests)
