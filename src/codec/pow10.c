#include "codec/pow10.h"

#include <pthread.h>

/* A fixed-width natural number, least word first: wide enough for 10^324 and for 2^1279 / 10^342 with 128 bits to spare. */
enum { WORDS = 20 };
struct wide {
    uint64_t word[WORDS];
};

static void times_ten(struct wide *x) {
    uint64_t carry = 0;
    for (size_t i = 0; i < WORDS; i++) {
        __uint128_t t = (__uint128_t)x->word[i] * 10 + carry;
        x->word[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    assert(carry == 0);
}

/* Rounds down; floor(floor(x / 10) / 10) == floor(x / 100), so repeated use stays exact. */
static void over_ten(struct wide *x) {
    uint64_t rest = 0;
    for (size_t i = WORDS; i-- > 0;) {
        __uint128_t t = (__uint128_t)rest << 64 | x->word[i];
        x->word[i] = (uint64_t)(t / 10);
        rest = (uint64_t)(t % 10);
    }
}

/* The 128 bits from the highest set one down, rounded up when anything lies below them (or is known to). */
static __uint128_t top_bits(const struct wide *x, bool more_below) {
    size_t top = WORDS - 1;
    while (x->word[top] == 0) top--;
    uint64_t w[3];
    for (size_t i = 0; i < 3; i++) w[i] = top >= i ? x->word[top - i] : 0;
    int up = __builtin_clzll(w[0]);
    __uint128_t bits = ((__uint128_t)w[0] << 64 | w[1]) << up;
    if (up) bits |= w[2] >> (64 - up);
    if ((w[2] << up) != 0) more_below = true;
    for (size_t i = 3; i <= top; i++)
        if (x->word[top - i]) more_below = true;
    return bits + more_below;
}

static __uint128_t table[POW10_MAX - POW10_MIN + 1];

static void fill(void) {
    struct wide x = {.word = {1}};
    for (int k = 0; k <= POW10_MAX; k++, times_ten(&x)) table[k - POW10_MIN] = top_bits(&x, false);
    x = (struct wide){.word = {[WORDS - 1] = UINT64_C(1) << 63}};
    for (int k = -1; k >= POW10_MIN; k--) {
        over_ten(&x);
        table[k - POW10_MIN] = top_bits(&x, true);
    }
}

const __uint128_t *pow10_table(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill);
    return table;
}
