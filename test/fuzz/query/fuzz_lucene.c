/* Query text: the first byte chooses the syntax and its options, the rest is the query. Must neither crash nor take long; what is accepted must test
 * on any text, and the same text must give the same filter. */
#include "query/lucene/lucene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef bool filter_fn(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);

static void test_leaves(const struct filter *f) {
    const struct value texts[] = {value_str(STR("Connection refused by 10.0.0.1: größe")), value_int(500), value_double(0.5), value_bool(true)};
    for (size_t i = 0; i < f->child_n; i++) test_leaves(f->children[i]);
    bool leaf = f->op > FILTER_NOT && f->op != FILTER_TRACE;
    for (size_t i = 0; leaf && i < ARRAY_N(texts); i++) (void)filter_leaf_test(f, &texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1) return 0;
    static const struct field_info infos[] = {
        {.name = {"level", 5}, .types = 1u << VAL_STRING},
        {.name = {"status", 6}, .types = 1u << VAL_INT},
        {.name = {"ratio", 5}, .types = 1u << VAL_DOUBLE},
        {.name = {"ok", 2}, .types = 1u << VAL_BOOL},
        {.name = {"when", 4}, .types = 1u << VAL_STRING, .all_dates = true},
        {.name = {"mixed", 5}, .types = 1u << VAL_STRING | 1u << VAL_INT},
        {.name = {"kubernetes.pod_name", 19}, .types = 1u << VAL_STRING},
    };
    static filter_fn *const syntaxes[] = {lucene_filter, kql_filter, simple_query_filter, lucene_filter};
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct fields fields = fields_open(infos, ARRAY_N(infos));
    const str message = STR("message");
    struct lucene_options o = {.fields = &fields,
                               .default_fields = data[0] & 4 ? &message : NULL,
                               .default_field_n = data[0] & 4 ? 1 : 0,
                               .default_and = data[0] & 8,
                               .lenient = data[0] & 16,
                               .analyze_wildcard = data[0] & 32,
                               .phrase_slop = data[0] & 64 ? 2 : 0,
                               .fuzziness = {.transpositions = true},
                               .dates = {.now_ns = INT64_C(1795348800000000000)}};
    const struct filter *f;
    struct err e = {0};
    str query = str_n(data + 1, n - 1);
    if (syntaxes[data[0] & 3](query, &o, a, &f, &e)) {
        struct buf text = {0};
        filter_put(&text, f);
        test_leaves(f);
        buf_done(&text);
    } else {
        assert(e.code != ERR_NONE && e.msg[0]);
    }
    fields_done(&fields);
    return 0;
}
