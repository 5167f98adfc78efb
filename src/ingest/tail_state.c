#include "ingest/tail_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/vec.h"
#include "loop/vfs.h"

struct tail_state {
    char *path;
    bool existed;
    VEC(struct tail_entry) entries;
};

enum { STATE_BYTES_MAX = 16 << 20 };

static bool parse_entry(str line, struct tail_entry *out) {
    str word;
    uint64_t *const numbers[] = {&out->device, &out->inode, &out->offset, &out->fingerprint_n};
    for (size_t i = 0; i < ARRAY_N(numbers); i++) {
        str_cut(&line, ' ', &word);
        if (!str_u64(word, numbers[i])) return false;
    }
    return str_hex_u64(line, &out->fingerprint) && out->fingerprint_n <= 4096 && out->fingerprint_n <= out->offset;
}

bool tail_state_open(const char *path, struct tail_state **out, struct err *e) {
    struct tail_state *s = mem_zalloc(sizeof *s);
    *out = s;
    if (!path) return true;
    s->path = strdup(path);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str text, line;
    struct err reason;
    if (!vfs_read_file(vfs_real(), path, STATE_BYTES_MAX, a, &text, &reason)) {
        if (reason.code == ERR_NOT_FOUND) return true;
        tail_state_free(s);
        return err_set(e, reason.code, "tail offsets: %s", reason.msg);
    }
    s->existed = true;
    str_cut(&text, '\n', &line); /* the title */
    while (str_cut(&text, '\n', &line)) {
        struct tail_entry entry;
        if (parse_entry(line, &entry)) vec_push(&s->entries, entry);
    }
    return true;
}

void tail_state_free(struct tail_state *s) {
    if (!s) return;
    vec_done(&s->entries);
    free(s->path);
    free(s);
}

bool tail_state_empty(const struct tail_state *s) {
    return !s->existed;
}

const struct tail_entry *tail_state_find(const struct tail_state *s, uint64_t device, uint64_t inode) {
    for (size_t i = 0; i < s->entries.n; i++)
        if (s->entries.p[i].device == device && s->entries.p[i].inode == inode) return &s->entries.p[i];
    return NULL;
}

void tail_state_clear(struct tail_state *s) {
    s->entries.n = 0;
}
void tail_state_put(struct tail_state *s, const struct tail_entry *e) {
    vec_push(&s->entries, *e);
}

bool tail_state_save(struct tail_state *s, struct err *e) {
    if (!s->path) return true;
    AUTO(buf_done) struct buf text = {0};
    buf_add(&text, STR("binnacle tail 1\n"));
    for (size_t i = 0; i < s->entries.n; i++) {
        const struct tail_entry *t = &s->entries.p[i];
        buf_printf(&text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIx64 "\n", t->device, t->inode, t->offset, t->fingerprint_n,
                   t->fingerprint);
    }
    if (!vfs_replace_file(vfs_real(), s->path, buf_str(&text), e)) return false;
    s->existed = true;
    return true;
}

uint64_t tail_fingerprint(int fd, uint64_t offset, uint64_t n) {
    char bytes[4096];
    if (n == 0 || n > sizeof bytes || n > offset) return 0;
    ssize_t got = pread(fd, bytes, (size_t)n, (off_t)(offset - n));
    return got == (ssize_t)n ? hash_stable(str_n(bytes, (size_t)n)) : 0;
}
