#include "codec/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/regex_syntax.h"

/* How much backtracking one match may do: tens of milliseconds, and far more than patterns need that do not backtrack without end. */
enum { MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 16 << 10, GROUPS_MAX = 32, FEW = 8 };

struct regex {
    struct arena *arena;
    bool anchored, fast; /* fast: literals and globs say all */
    bool jit;
    str *literals; /* without duplicates */
    size_t literals_n;
    struct map by_hash; /* index + 1 into literals, when there are more than FEW */
    struct glob *globs;
    size_t globs_n;
    const str *names;
    size_t groups;
    pcre2_code *code; /* NULL: a set of literals too large for PCRE2, which only captures would need */
    pcre2_match_context *limits;
};

void regex_free(struct regex *re) {
    if (!re) return;
    pcre2_code_free(re->code);
    pcre2_match_context_free(re->limits);
    map_done(&re->by_hash);
    arena_free(re->arena);
    free(re);
}

static bool has_literal(const struct regex *re, str s) {
    if (re->by_hash.cap == 0) {
        for (size_t i = 0; i < re->literals_n; i++)
            if (str_eq(re->literals[i], s)) return true;
        return false;
    }
    uint64_t hash = hash_str(s);
    for (size_t at = map_first(&re->by_hash, hash); at != MAP_END; at = map_next(&re->by_hash, at, hash))
        if (str_eq(re->literals[re->by_hash.slots[at].value - 1], s)) return true;
    return false;
}

static void add_literal(struct regex *re, str s) {
    if (has_literal(re, s)) return;
    re->literals[re->literals_n++] = s;
    if (re->literals_n <= FEW) return;
    for (size_t i = re->by_hash.n; i < re->literals_n; i++) map_put(&re->by_hash, hash_str(re->literals[i]), i + 1);
}

/* Splits the globs into a set of literals and the rest. A pattern that is not anchored has a gap at both ends, unless ^ and $ say otherwise. */
static void adopt_globs(struct regex *re, struct globs found) {
    re->fast = true;
    re->literals = arena_new_n(re->arena, str, found.n);
    re->globs = arena_new_n(re->arena, struct glob, found.n);
    for (size_t i = 0; i < found.n; i++) {
        struct globs g = {.p = &found.p[i], .n = 1};
        bool begin = re->anchored || g.p->begin, end = re->anchored || g.p->end;
        g.p->begin = g.p->end = false;
        if (!begin) g = globs_then(re->arena, globs_gap(re->arena, false), g);
        if (!end) g = globs_then(re->arena, g, globs_gap(re->arena, false));
        assert(g.n == 1);
        if (glob_is_literal(g.p))
            add_literal(re, g.p->p[0].text);
        else
            re->globs[re->globs_n++] = *g.p;
    }
}

static bool compile(struct regex *re, str pattern, const struct buf *text, struct err *e) {
    int code;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    if (re->anchored) options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    assert(context);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    re->code = pcre2_compile((PCRE2_SPTR)(text->p ? text->p : ""), text->n, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!re->code) {
        char reason[120];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        return err_set(e, ERR_INPUT, "error parsing regexp: %s: `%" STR_F "`", reason, STR_A(pattern));
    }
    re->limits = pcre2_match_context_create(NULL);
    assert(re->limits);
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KIB);
    /* Compiling to machine code takes longer than a few hundred matches: only when PCRE2 will do the matching. */
    if (!re->fast || re->groups > 1) re->jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
    return true;
}

bool regex_new(str pattern, bool anchored, struct regex **out, struct err *e) {
    AUTO(regex_free) struct regex *re = mem_zalloc(sizeof *re);
    re->arena = arena_new(512);
    re->anchored = anchored;
    struct regex_syntax syntax;
    if (!regex_syntax_read(pattern, re->arena, &syntax, e)) return false;
    re->names = syntax.names;
    re->groups = syntax.groups;
    if (!syntax.globs.unknown) adopt_globs(re, syntax.globs);
    bool ok = compile(re, pattern, &syntax.pcre, re->fast ? NULL : e) || re->fast;
    buf_done(&syntax.pcre);
    if (!ok) return false;
    *out = TAKE(re);
    return true;
}

static enum regex_result run(const struct regex *re, str s, pcre2_match_data *data) {
    PCRE2_SPTR text = (PCRE2_SPTR)(s.n ? s.p : "");
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (re->jit) rc = pcre2_jit_match(re->code, text, s.n, 0, 0, data, re->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = pcre2_match(re->code, text, s.n, 0, PCRE2_NO_JIT, data, re->limits);
    /* Where a subject is not UTF-8 PCRE2 may take the last good byte for its end. */
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    if (rc >= 0) return !re->anchored || (at[0] == 0 && at[1] == s.n) ? REGEX_YES : REGEX_NO;
    return rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

enum regex_result regex_match(const struct regex *re, str subject) {
    if (re->fast) {
        if (re->literals_n && has_literal(re, subject)) return REGEX_YES;
        for (size_t i = 0; i < re->globs_n; i++)
            if (glob_match(&re->globs[i], subject)) return REGEX_YES;
        return REGEX_NO;
    }
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    assert(data);
    enum regex_result r = run(re, subject, data);
    pcre2_match_data_free(data);
    return r;
}

enum regex_result regex_groups(const struct regex *re, str subject, str *groups, size_t *group_n) {
    if (!re->code) return REGEX_LIMIT;
    if (!subject.p) subject = STR(""); /* a group that matched nothing is still set: it points somewhere */
    size_t n = MIN(re->groups, (size_t)GROUPS_MAX);
    pcre2_match_data *data = pcre2_match_data_create((uint32_t)n, NULL);
    assert(data);
    enum regex_result r = run(re, subject, data);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    for (size_t i = 0; r == REGEX_YES && i < n; i++) {
        bool set = at[2 * i] != PCRE2_UNSET && at[2 * i + 1] != PCRE2_UNSET;
        groups[i] = set ? str_n(subject.p + at[2 * i], at[2 * i + 1] - at[2 * i]) : STR_NULL;
    }
    pcre2_match_data_free(data);
    if (r == REGEX_YES) *group_n = n;
    return r;
}

int regex_group_index(const struct regex *re, str name) {
    for (size_t i = 1; i < re->groups; i++)
        if (name.n && str_eq(re->names[i], name)) return (int)i;
    return -1;
}

bool regex_literals(const struct regex *re, const str **out, size_t *n) {
    if (!re->fast || re->globs_n) return false;
    *out = re->literals;
    *n = re->literals_n;
    return true;
}
