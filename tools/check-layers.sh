#!/bin/sh
# check-layers.sh: a lower folder of src/ never includes a higher one; ingest, alert and api never include each other. Prints file:line of violations.
set -eu
cd "$(dirname "$0")/.."
grep -rnE '^[[:space:]]*#[[:space:]]*include "' src --include='*.c' --include='*.h' | awk -F: '
BEGIN { n = split("base codec loop net model wire store query ingest alert api cmd", l, " "); for (i = 1; i <= n; i++) rank[l[i]] = i }
{
    split($1, path, "/"); from = path[2]
    match($0, /include "[^"]*"/); inc = substr($0, RSTART + 9, RLENGTH - 10)
    if (split(inc, ip, "/") < 2 || !(ip[1] in rank)) { print $1 ":" $2 ": include \"" inc "\": write the full path from src/"; bad++; next }
    to = ip[1]
    if (rank[to] > rank[from]) { print $1 ":" $2 ": " from " includes " inc " (" to " is above " from ")"; bad++ }
    if ((from == "codec" || from == "wire") && (to == "loop" || to == "net")) { print $1 ":" $2 ": " from " is pure and must not include " inc; bad++ }
    if (from != to && index(" ingest alert api ", " " from " ") && index(" ingest alert api ", " " to " ")) { print $1 ":" $2 ": " from " and " to " never include each other (" inc ")"; bad++ }
}
END { if (bad) { print bad " violation(s)"; exit 1 } print "layers: ok" }'
