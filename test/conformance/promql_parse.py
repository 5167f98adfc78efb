"""The peers' parser tables: expressions that parse or fail with a given message, texts as printed and as formatted, series descriptions; the same
expressions through the HTTP API."""
import json
import os
import subprocess
import sys

import bn

folder = os.path.join(bn.CASES, "promql-parse")
if not os.path.isdir(folder):
    print("skipped: %s is not there" % folder)
    sys.exit(77)

# These lost a part when they were cut out of the Go source (a raw string with a backtick, a call of strings.Repeat): not what their authors tested.
BROKEN = {"{'foo\\'bar', ", "`"}
failures = []


def read(name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def ask(flag, inputs):
    if not inputs:
        return []
    lines = [json.dumps(i, ensure_ascii=False) for i in inputs]
    run = subprocess.run([bn.BINNACLE, "promqltest", flag], input="\n".join(lines).encode() + b"\n", capture_output=True)
    replies = [json.loads(line) for line in run.stdout.decode().splitlines()]
    if run.returncode or len(replies) != len(inputs):
        print(run.stderr.decode())
        sys.exit(f"{len(replies)} replies to {len(inputs)} inputs")
    return replies


def check(title, cases, ok):
    good = sum(1 for case, reply in cases if ok(case, reply) or failures.append(f"{title}: {case} -> {reply}"))
    print(f"promql-parse {title}: {good} of {len(cases)}")


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
printed = read("print_expr.json")
check("printed", list(zip(printed, ask("--parse", [c["in"] for c in printed]))), lambda c, r: r.get("text") == c["out"])
pairs = read("pretty_expr.json")
check("formatted", list(zip(pairs, ask("--parse", [c["in"] for c in pairs]))), lambda c, r: r.get("pretty") == c["out"])
series = read("parse_series.json")
check("series", list(zip(series, ask("--series", [c["input"] for c in series]))), lambda c, r: ("error" in r) == c["fail"])

# Over HTTP: the tree's root of what parses, bad_data for what does not; format_query gives a text that means the same (it prints alike).
ROOTS = {"numberLiteral": "NumberLiteral", "stringLiteral": "StringLiteral", "vectorSelector": "VectorSelector", "matrixSelector": "MatrixSelector",
         "subquery": "SubqueryExpr", "parenExpr": "ParenExpr", "unaryExpr": "UnaryExpr", "binaryExpr": "BinaryExpr", "call": "Call",
         "aggregation": "AggregateExpr"}
with bn.Server() as s:
    replies = [(c, s.get("/api/v1/parse_query", query=c["input"])) for c in exprs]
    check("parse_query", replies, lambda c, r: (r.status == 400 and r.json["errorType"] == "bad_data") if c["fail"]
          else r.status == 200 and ROOTS[r.json["data"]["type"]] == c["root"])
    formatted = [s.get("/api/v1/format_query", query=c["in"]) for c in printed]
    texts = ask("--parse", [r.json.get("data", "") for r in formatted])
    check("format_query", list(zip(printed, texts)), lambda c, r: r.get("text") == c["out"])

for line in failures:
    print(line)
sys.exit(1 if failures else 0)
