/* store/events/fingerprint: "does this block hold this word at all?" A binary fuse filter (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller
 * Than Xor Filters", 2022) of 8-bit fingerprints over the hashes of a block's words: 9 bits a word, no false negatives, 0.4 % false positives.
 * Words are those of codec/words.h (Elasticsearch's standard analyzer). Pure; any thread.
 *
 *   section WORDS: u32 key count, u32 segment length, u32 segment count, u32 zero, u64 seed, then (segment count + 2) * segment length bytes */
#pragma once
#include "base/buf.h"

struct shapes;

struct fingerprints {      /* being collected: a set of hashes; zeroed is empty. Most words of a block come again and again. */
    uint64_t *slots;       /* 0: free */
    size_t n, cap;         /* cap: a power of two */
    bool has_zero;         /* the word whose hash is 0 */
    struct shapes *shapes; /* every word new to the set is told to it, as one of that block; NULL: no */
    uint32_t block;
};
/* The words of n strings. */
void fingerprints_add(struct fingerprints *f, const uint32_t *ends, size_t n, const char *bytes);
void fingerprints_add_encoded(struct fingerprints *f, str value); /* of all strings in an encoded value (cells.h) */
void fingerprints_add_stream(struct fingerprints *f, str encoded);
void fingerprints_add_hex(struct fingerprints *f, const uint64_t *parts, size_t n); /* an id, as its hex text */
/* Writes the section and empties f; false: nothing to write (no words). */
bool fingerprints_put(struct fingerprints *f, struct buf *b);

uint64_t word_hash(str lower_case_word);
/* false: the word is certainly not there. A damaged section says true. */
bool fingerprints_maybe(str section, uint64_t hash);
