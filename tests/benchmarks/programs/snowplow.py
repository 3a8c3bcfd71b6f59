"""A peer: snowplow-tracker sends GETs to a collector.  argv: port, how many, and "stay" to live on.

Prints one line of JSON once all events were tracked.
"""

import importlib
import json
import sys
import time

# It is installed where this runs, and nowhere else.
requests = importlib.import_module("requests")
snowplow = importlib.import_module("snowplow_tracker")

port, n_events = int(sys.argv[1]), int(sys.argv[2])
emitter = snowplow.Emitter(
    "127.0.0.1", "http", port, "get", batch_size=1, session=requests.Session(), max_retry_delay_seconds=1
)
tracker = snowplow.Tracker("benchmark", emitter, app_id="benchmark", encode_base64=False)


def track(n: int) -> None:
    event = snowplow.StructuredEvent("video", "time", label="9u6OHIO4", property_="x" * 200, value=float(n))
    tracker.track(event)


track(-1)
began_s, cpu_s = time.perf_counter(), time.process_time()
for n in range(n_events):
    track(n)
spent = {"wall_s": time.perf_counter() - began_s, "cpu_s": time.process_time() - cpu_s}
with open("/proc/self/smaps_rollup") as lines:
    spent["rss_bytes"] = next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) * 1024
print(json.dumps(spent), flush=True)
while "stay" in sys.argv:
    time.sleep(1)
