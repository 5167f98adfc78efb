/* store/events/nfa: the workshop behind automaton.h: Thompson fragments over code-point ranges, the subset construction, product and complement.
 * Build-time only; one thread. Every step is charged against a budget, so that no pattern costs more than a fraction of a second. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "store/events/automaton.h"

enum { NFA_CP_MAX = 0x10ffff, NFA_STATES_MAX = 40000, NFA_WORK_MAX = 5000000, AUTOMATON_CELLS_MAX = 2000000 };

/* The deterministic result. State 0 is dead; next[state * class_n + class]. */
struct automaton {
    uint32_t state_n, class_n, start;
    uint32_t *bounds;    /* class i holds the code points [bounds[i], bounds[i + 1]); bounds[0] == 0 */
    uint16_t ascii[128]; /* class of each ASCII character */
    uint16_t *next;
    uint8_t *verdict; /* enum verdict, per state */
    str prefix;
};
enum verdict {
    V_REFUSES, /* the string may not end here */
    V_ACCEPTS, /* it may */
    V_NEVER,   /* whatever follows, no match */
    V_ALWAYS,  /* whatever follows, a match */
};

struct nfa_edge {
    uint32_t lo, hi, to, next; /* next edge of the state, + 1 */
};
struct nfa_state {
    uint32_t edges, jumps; /* first edge / first empty transition, + 1; 0: none */
};
struct nfa {
    struct arena *arena;
    struct {
        struct nfa_state *p;
        size_t n, cap;
    } states;
    struct {
        struct nfa_edge *p;
        size_t n, cap;
    } edges; /* empty transitions are edges of the jumps lists */
    size_t work;
    bool too_big; /* sticky: states beyond the limit are not made */
};
/* A part of the machine with one way in and one way out. */
struct nfa_part {
    uint32_t in, out;
};

uint32_t nfa_state(struct nfa *n);
void nfa_edge(struct nfa *n, uint32_t from, uint32_t lo, uint32_t hi, uint32_t to);
void nfa_jump(struct nfa *n, uint32_t from, uint32_t to);
struct nfa_part nfa_part(struct nfa *n); /* two new states, not connected */
/* The strings that `part` does not match / that both match. The parts given are used up. */
MUST_USE bool nfa_complement(struct nfa *n, struct nfa_part part, struct nfa_part *out, struct err *e);
MUST_USE bool nfa_intersect(struct nfa *n, struct nfa_part x, struct nfa_part y, struct nfa_part *out, struct err *e);
/* Subset construction into the arena. */
MUST_USE bool nfa_finish(struct nfa *n, struct nfa_part whole, struct arena *a, struct automaton **out, struct err *e);

uint32_t automaton_class(const struct automaton *m, uint32_t cp);
