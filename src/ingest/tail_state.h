/* ingest/tail_state: the saved offsets of followed files: one text file, replaced atomically. One thread at a time.
 *
 *   binnacle tail 1
 *   <device> <inode> <offset> <fingerprint bytes> <fingerprint hex>      one line a file */
#pragma once
#include "base/err.h"

struct tail_entry {
    uint64_t device, inode, offset;
    uint64_t fingerprint_n, fingerprint; /* hash of the fingerprint_n bytes before offset */
};
struct tail_state;
/* A missing file is an empty state; a damaged one too, but for its whole lines. path NULL: nothing is kept. */
MUST_USE bool tail_state_open(const char *path, struct tail_state **out, struct err *e);
void tail_state_free(struct tail_state *s);
bool tail_state_empty(const struct tail_state *s);                                                     /* nothing was ever saved: the first start */
const struct tail_entry *tail_state_find(const struct tail_state *s, uint64_t device, uint64_t inode); /* NULL: unknown */
void tail_state_clear(struct tail_state *s);
void tail_state_put(struct tail_state *s, const struct tail_entry *e);
MUST_USE bool tail_state_save(struct tail_state *s, struct err *e);
/* Hash of the n bytes before offset; 0 for n == 0 and when they cannot be read. */
uint64_t tail_fingerprint(int fd, uint64_t offset, uint64_t n);
