/* store/events/shapes: which blocks of a part hold words like this? The word index of a part on disk: a dictionary of all its words (those the
 * fingerprints cover), each with the blocks it is in. Words that differ in their digits only, when there are more than SHAPE_WORDS_MAX of them,
 * or they are decimal or hex numbers, become one entry, their shape: the word with every run of digits as one byte 1. So numbers, durations and
 * versions are few entries, and the dictionary of a gigabyte of logs is some thousand strings, which automata walk in a millisecond. Ids, that is
 * words of 8 or more hex digits with a decimal digit among them, are not listed; nor are words of a block that has too many or very long ones: such a
 * block is `unlisted`, it may hold anything. A collector belongs to one thread.
 *
 *   section SHAPES: varint n, blocks: the unlisted; varint n, per entry, ascending: varint bytes shared with the one before, slice rest, blocks
 *   blocks: varint n (0 for an entry: all), varint distances (the first: to 0) */
#pragma once
#include "store/events/filter.h"
#include "store/events/part.h"

enum { SHAPE_BYTES_MAX = 128, SHAPES_BLOCK_MAX = 4096, SHAPE_WORDS_MAX = 32 };

struct shapes;
struct shapes *shapes_new(void);
void shapes_free(struct shapes *s);
void shapes_add(struct shapes *s, uint32_t block, str word); /* lower-cased, as codec/words.h has it */
/* All blocks of a part, renumbered from `first` on. */
void shapes_add_part(struct shapes *s, uint32_t first, const struct part *p);
/* Appends the section of a part of block_n blocks. */
void shapes_put(struct shapes *s, uint32_t block_n, struct buf *b);

/* Blocks of the part, a bit each, in which the leaf may hold for a word; NULL: the dictionary cannot say (all may). */
const uint64_t *shapes_find(const struct part *p, const struct filter *leaf, struct arena *a);
