#!/usr/bin/env python3
"""The peers' parser tables: expressions that parse or fail with a given message, texts as printed and as formatted, series descriptions, and the
expressions of real dashboards."""
import json
import os
import re
import subprocess
import sys

shared = os.environ.get("SHARED", "../shared")
binnacle = os.environ.get("BINNACLE", "build/release/binnacle")
folder = os.path.join(shared, "cases/promql-parse")
if not os.path.isdir(folder):
    print("no cases in", shared)
    sys.exit(77)

# These lost a part when they were cut out of the Go source (a raw string with a backtick, a call of strings.Repeat): not what their authors tested.
BROKEN = {"{'foo\\'bar', ", "`"}
failures = []


def read(name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return json.load(f)


def ask(flag, inputs):
    lines = [json.dumps(i, ensure_ascii=False) for i in inputs]
    run = subprocess.run([binnacle, "promqltest", flag], input="\n".join(lines).encode() + b"\n", capture_output=True)
    replies = [json.loads(line) for line in run.stdout.decode().splitlines()]
    if run.returncode or len(replies) != len(inputs):
        print(run.stderr.decode())
        sys.exit(f"{len(replies)} replies to {len(inputs)} inputs")
    return replies


def check(title, cases, ok):
    good = sum(1 for case, reply in cases if ok(case, reply) or failures.append(f"{title}: {case} -> {reply}"))
    print(f"{title}: {good} of {len(cases)}")


def usable(case):
    # Go's "\xff" came out as U+00FF; the test of invalid UTF-8 is test/unit's.
    text = case["input"]
    return text not in BROKEN and "\u00ff" not in text and not (text == "(" and "unclosed left parenthesis" not in case["errors"])


def same_outcome(case, reply):
    if case["fail"]:
        return "error" in reply
    return reply.get("root") == case["root"]


def same_message(case, reply):
    # struct err holds 231 bytes: a longer message is compared as far as it goes
    return any(message[:150] in reply.get("error", "") for message in case["errors"])


exprs = [c for c in read("parse_expr.json") if usable(c)]
replies = list(zip(exprs, ask("--parse", [c["input"] for c in exprs])))
check("expressions", replies, same_outcome)
check("messages", [(c, r) for c, r in replies if c["fail"]], same_message)
pairs = read("print_expr.json")
check("printed", list(zip(pairs, ask("--parse", [c["in"] for c in pairs]))), lambda c, r: r.get("text") == c["out"])
pairs = read("pretty_expr.json")
check("formatted", list(zip(pairs, ask("--parse", [c["in"] for c in pairs]))), lambda c, r: r.get("pretty") == c["out"])
series = read("parse_series.json")
check("series", list(zip(series, ask("--series", [c["input"] for c in series]))), lambda c, r: ("error" in r) == c["fail"])
with open(os.path.join(shared, "cases/dashboards/promql_exprs.jsonl"), encoding="utf-8") as f:
    boards = [json.loads(line)["expr"] for line in f]
# Where a variable stood for a number, its replacement ".*" is no PromQL: 6 of them.
boards = [e for e in boards if ".*" not in re.sub(r'"(\\.|[^"])*"|\'[^\']*\'', "", e)]
check("dashboards", list(zip(boards, ask("--parse", boards))), lambda c, r: "error" not in r)

for line in failures:
    print(line)
print(f"promql_parse: {len(failures)} failures")
sys.exit(1 if failures else 0)
