/* store/events/merge: many parts into one, row by row into fresh blocks: what makes sealing, compaction and the tidying of small batches in memory.
 * Any thread that pins the parts; the packer is the caller's.
 *
 * Order within the result: logs by (stream, time, seq), cut into blocks so that a busy stream has blocks of its own; spans by trace, traces cut
 * into blocks by when they begin, within a block ascending by id. */
#pragma once
#include "store/events/catalog.h"
#include "store/events/part.h"

/* Appends the blocks; adds them to the catalogue if there is one. ERR_CORRUPT: a block is damaged (the packer's contents are then to be dropped). */
MUST_USE bool merge_rows(struct part *const *parts, size_t n, struct packer *p, struct catalog *c, struct err *e);
