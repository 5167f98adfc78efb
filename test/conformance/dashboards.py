"""The expressions of real dashboards: each parses, and evaluates over real pages as an instant and as a range query.

An expression may be refused for what is in the data (two series on the "one" side of a match); nothing else is excused."""
import json
import os
import re
import sys
import time

import bn

path = os.path.join(bn.CASES, "dashboards/promql_exprs.jsonl")
if not os.path.exists(path):
    print("skipped: %s is not there" % path)
    sys.exit(77)
with open(path, encoding="utf-8") as f:
    exprs = [json.loads(line)["expr"] for line in f]
# Where a variable stood for a number, its replacement ".*" is no PromQL.
usable = [e for e in exprs if ".*" not in re.sub(r'"(\\.|[^"])*"|\'[^\']*\'', "", e)]
PAGES = {"kubernetes/cadvisor.prom": "kubelet", "kubernetes/kubelet_metrics.txt": "kubelet", "kubernetes/node_exporter_1.5.prom": "node",
         "exposition/node_exporter_e2e.txt": "node-exporter"}
OF_THE_DATA = ("many-to-many matching not allowed", "found duplicate series for the match group", "multiple matches for labels",
               "vector cannot contain metrics with the same labelset")


def load(s, now):
    for page, job in PAGES.items():
        try:
            with open(os.path.join(bn.CASES, page), "rb") as f:
                text = f.read()
        except FileNotFoundError:
            continue
        # Lines with a timestamp of their own would lie outside of what is asked.
        text = re.sub(rb"(?m)^([^#\n].*\S+) \d{13}$", rb"\1", text)
        for age in (120, 60, 0):
            url = "/api/v1/import/prometheus?timestamp=%d&extra_label=job=%s&extra_label=instance=a:1" % ((now - age) * 1000, job)
            s.post(url, text, "text/plain")


def ask(s, expr, now):
    """None, or why not."""
    for path, params in (("/api/v1/query", {"time": now}), ("/api/v1/query_range", {"start": now - 300, "end": now, "step": 15})):
        reply = s.get(path, query=expr, **params)
        if reply.status == 200 or (reply.status == 422 and any(m in reply.json["error"] for m in OF_THE_DATA)):
            continue
        return "%d %s" % (reply.status, reply.text[:300])
    return None


parsed = evaluated = 0
with bn.Server() as s:
    now = int(time.time())
    load(s, now)
    for expr in usable:
        reply = s.get("/api/v1/parse_query", query=expr)
        parsed += reply.status == 200
        problem = ask(s, expr, now)
        evaluated += problem is None
        if reply.status != 200 or problem:
            print("%s: %s" % (expr, problem or reply.text[:300]))
print("dashboards parsed: %d of %d (%d skipped: a variable that is no number)" % (parsed, len(usable), len(exprs) - len(usable)))
print("dashboards evaluated: %d of %d" % (evaluated, len(usable)))
sys.exit(1 if min(parsed, evaluated) < len(usable) else 0)
