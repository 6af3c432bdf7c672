"""Follows the newest job of a hive from its first event, comes back where it was cut, and prints what it saw."""

import json
import os
import sys

import requests
import sseclient

LAST = {"succeeded", "failed", "cancelled"}
LIVE = {"snapshot", "progress", "heartbeat"}

hive = sys.argv[1]
token = {"Authorization": "Bearer " + os.environ["HIVE_TOKEN"]}
job = requests.get(hive + "/v1/jobs?limit=1", headers=token, timeout=20).json()["jobs"][0]
last_event_id = "0"
seen = {"connections": 0, "begun_after": 0, "events": [], "sequence": None}
while seen["sequence"] is None:
    headers = {**token, "Last-Event-ID": last_event_id, "Accept": "text/event-stream"}
    stream = requests.get(hive + job["links"]["events"], headers=headers, stream=True, timeout=20)
    seen["connections"] += 1
    try:
        for event in sseclient.SSEClient(stream).events():
            last_event_id = event.id
            if event.event not in LIVE:
                seen["events"].append([event.event, int(event.id)])
            if event.event in LAST:
                seen["sequence"] = json.loads(event.data)["sequence"]
    except requests.exceptions.RequestException:
        pass
print(json.dumps(seen))
