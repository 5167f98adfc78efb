/* api/assets: the embedded page: a table of files, each gzipped, made by tools/embed-ui.sh at build time. Immutable; any thread. */
#pragma once
#include "base/str.h"

struct asset {
    const char *path; /* "/index.html", "/assets/index-3f2a.js" */
    const char *content_type;
    const char *gz, *gz_end; /* gzip bytes */
    const char *etag;        /* quoted, strong */
    bool immutable;          /* the name holds a hash of the content */
};
extern const struct asset assets[];
extern const size_t assets_n;
