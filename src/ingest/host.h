/* ingest/host: this machine's metrics under node_exporter's names, labels and units (node_exporter 1.5, default collectors of the same name), written
 * as an exposition page. One thread at a time; reads procfs, so run it in the pool: statvfs of a dead mount can block. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* Appends the page. procfs: its mount point. A collector that fails says so in node_scrape_collector_success{collector="..."} and costs nothing
 * else. */
void host_collect(str procfs, struct buf *page);
