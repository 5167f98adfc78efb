#!/bin/sh
# embed-ui.sh npm|fallback UI_DIR OUT_DIR: builds the page (npm mode), gzips every file and writes OUT_DIR/assets.S (.incbin) and assets.c (the table).
set -eu
mode=$1 ui=$2 out=$3
mkdir -p "$out/gz"
rm -f "$out"/gz/*
if [ "$mode" = npm ]; then
    # Several builds may share ui/: one installs, each bundles into its own folder.
    (cd "$ui" && flock package-lock.json sh -c '[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error' &&
        node build.mjs "$out/dist") >"$out/npm.log" 2>&1 || { cat "$out/npm.log" >&2; exit 1; }
    root=$out/dist
else
    root=$ui/fallback
fi
type_of() {
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.json | *.map) echo 'application/json' ;;
    *.png) echo 'image/png' ;;
    *.woff2) echo 'font/woff2' ;;
    *) echo 'application/octet-stream' ;;
    esac
}
{
    echo '#include "api/assets.h"'
    echo '/* Made by tools/embed-ui.sh. */'
} >"$out/assets.c.tmp"
echo '.section .rodata' >"$out/assets.S.tmp"
rows= n=0
list=$(cd "$root" && find . -type f ! -name '*.map' | LC_ALL=C sort | sed 's|^\./||')
for f in $list; do
    gzip -9nc "$root/$f" >"$out/gz/$n.gz"
    etag=$(sha256sum "$root/$f" | cut -c1-16)
    immutable=false
    case $f in assets/*) immutable=true ;; esac
    printf '.balign 16\n.globl asset_%d\nasset_%d:\n.incbin "%s"\n.globl asset_%d_end\nasset_%d_end:\n.byte 0\n' $n $n "$out/gz/$n.gz" $n $n >>"$out/assets.S.tmp"
    echo "extern const char asset_$n[], asset_${n}_end[];" >>"$out/assets.c.tmp"
    rows="$rows    {\"/$f\", \"$(type_of "$f")\", asset_$n, asset_${n}_end, \"\\\"$etag\\\"\", $immutable},
"
    n=$((n + 1))
done
{
    echo "const struct asset assets[] = {"
    printf '%s' "$rows"
    echo "};"
    echo "const size_t assets_n = $n;"
} >>"$out/assets.c.tmp"
echo '.section .note.GNU-stack,"",%progbits' >>"$out/assets.S.tmp"
mv "$out/assets.c.tmp" "$out/assets.c"
mv "$out/assets.S.tmp" "$out/assets.S"
