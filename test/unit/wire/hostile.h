/* unit/wire/hostile: what every decoder of the wire layer must survive: a valid message cut at every byte, and with every byte changed.
 * The copies have exactly the message's size, so that ASan sees one byte too far. */
#pragma once
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

typedef void (*hostile_decode)(str message); /* decodes, frees, asserts nothing but what must always hold */

static inline void hostile_truncate(str message, hostile_decode decode) {
    for (size_t cut = 0; cut <= message.n; cut++) {
        char *copy = mem_alloc(cut ? cut : 1);
        memcpy(copy, message.p, cut);
        decode(str_n(copy, cut));
        free(copy);
    }
}

static inline void hostile_flip(str message, hostile_decode decode) {
    static const unsigned char masks[] = {0x01, 0x08, 0x80, 0xff};
    for (size_t at = 0; at < message.n; at++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            char *copy = mem_alloc(message.n);
            memcpy(copy, message.p, message.n);
            copy[at] = (char)(copy[at] ^ masks[m]);
            decode(str_n(copy, message.n));
            free(copy);
        }
    }
}
