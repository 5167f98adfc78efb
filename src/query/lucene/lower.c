/* Parse tree -> filter. */
#include "query/lucene/ast.h"
#include "query/lucene/lucene.h"

struct lowering {
    struct leaf_context leaves;
    const struct lucene_options *o;
    const str *default_fields;
    size_t default_field_n;
    struct err *e;
};

static bool lower_leaf(const struct lowering *l, const struct query_node *n, const struct filter **out) {
    struct leaf leaf = n->leaf;
    leaf.split_prefix = l->o->analyze_wildcard;
    leaf.fuzziness.prefix_n = l->o->fuzziness.prefix_n;
    leaf.fuzziness.transpositions = l->o->fuzziness.transpositions;
    if (!n->own_field) return leaf_lower_any(&l->leaves, l->default_fields, l->default_field_n, &leaf, out, l->e);
    if (!str_eq(n->field, STR("_exists_"))) return leaf_lower(&l->leaves, n->field, &leaf, out, l->e);
    leaf.op = LEAF_EXISTS;
    return leaf_lower(&l->leaves, n->leaf.text, &leaf, out, l->e);
}

static bool lower(const struct lowering *l, const struct query_node *n, const struct filter **out);

/* What should hold counts only when nothing must; with nothing but negations, everything else matches. */
static bool lower_bool(const struct lowering *l, const struct query_node *n, const struct filter **out) {
    struct arena *a = l->leaves.arena;
    const struct filter **must = arena_new_n(a, const struct filter *, n->clauses.n + 1),
                        **should = arena_new_n(a, const struct filter *, n->clauses.n);
    size_t must_n = 0, should_n = 0, required_n = 0;
    for (size_t i = 0; i < n->clauses.n; i++) {
        const struct filter *f;
        if (!lower(l, n->clauses.p[i].node, &f)) return false;
        if (!f) continue;
        enum occur occur = n->clauses.p[i].occur;
        if (occur == OCCUR_SHOULD)
            should[should_n++] = f;
        else
            must[must_n++] = occur == OCCUR_NOT ? filter_not(a, f) : f;
        required_n += occur == OCCUR_MUST;
    }
    if (required_n == 0) must[must_n++] = filter_join(a, FILTER_OR, should, should_n);
    *out = filter_join(a, FILTER_AND, must, must_n);
    return true;
}

static bool lower(const struct lowering *l, const struct query_node *n, const struct filter **out) {
    switch (n->type) {
    case NODE_BOOL: return lower_bool(l, n, out);
    case NODE_LEAF: return lower_leaf(l, n, out);
    case NODE_ALL: *out = filter_all(); return true;
    }
    return false;
}

static bool lower_tree(const struct query_node *tree, const struct lucene_options *o, bool lenient, struct arena *a, const struct filter *empty,
                       const struct filter **out, struct err *e) {
    static const str everything = STR_INIT("*");
    struct lowering l = {.o = o, .e = e, .default_fields = o->default_fields, .default_field_n = o->default_field_n};
    l.leaves = (struct leaf_context){.arena = a, .fields = o->fields, .dates = o->dates, .lenient = lenient};
    if (l.default_field_n == 0) {
        l.default_fields = &everything;
        l.default_field_n = 1;
    }
    const struct filter *f = NULL;
    if (tree && !lower(&l, tree, &f)) return false;
    *out = f ? f : tree ? filter_none() : empty;
    return true;
}

bool lucene_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e) {
    struct lucene_syntax syntax = {.default_and = o->default_and, .phrase_slop = o->phrase_slop};
    const struct query_node *tree;
    return lucene_parse(query, &syntax, a, &tree, e) && lower_tree(tree, o, o->lenient, a, filter_none(), out, e);
}

bool kql_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e) {
    const struct query_node *tree;
    return kql_parse(query, a, &tree, e) && lower_tree(tree, o, o->lenient, a, filter_all(), out, e);
}

bool simple_query_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e) {
    struct lucene_syntax syntax = {.default_and = o->default_and, .phrase_slop = o->phrase_slop};
    const struct query_node *tree;
    return simple_query_parse(query, &syntax, a, &tree, e) && lower_tree(tree, o, o->lenient, a, filter_none(), out, e);
}
