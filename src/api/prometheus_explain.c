#include "api/prometheus.h"

/* `explain=1`: the tree of a query with what each node yielded, read and took in this run. */

enum { TEXT_MAX = 200, TREE_LEVELS_MAX = (JSON_DEPTH_MAX - 8) / 2 };

static void put_text(struct json_out *o, const struct node *n) {
    struct buf text = {0};
    promql_print(&text, n);
    if (text.n > TEXT_MAX) {
        text.n = TEXT_MAX;
        while (text.n && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) text.n--; /* whole characters */
        buf_add(&text, STR("..."));
    }
    json_put_key_c(o, "text");
    json_put_string(o, buf_str(&text));
    buf_done(&text);
}

static void put_node(struct json_out *o, const struct node *n, const struct promql_cost *costs, unsigned level) {
    static const char *const types[] = {
        [NODE_NUMBER] = "number",     [NODE_STRING] = "string",         [NODE_VECTOR] = "selector",   [NODE_MATRIX] = "matrix",
        [NODE_SUBQUERY] = "subquery", [NODE_PAREN] = "paren",           [NODE_UNARY] = "unary",       [NODE_BINARY] = "binary",
        [NODE_CALL] = "call",         [NODE_AGGREGATE] = "aggregation", [NODE_DURATION] = "duration",
    };
    const struct promql_cost *c = &costs[n->id];
    json_put_object(o);
    json_put_key_c(o, "type");
    json_put_string(o, str_c(types[n->kind]));
    put_text(o, n);
    json_put_key_c(o, "start");
    json_put_u64(o, n->from);
    json_put_key_c(o, "end");
    json_put_u64(o, n->to);
    json_put_key_c(o, "series");
    json_put_u64(o, c->series);
    json_put_key_c(o, "samples");
    json_put_u64(o, c->samples);
    json_put_key_c(o, "seconds");
    json_put_double(o, (double)c->ns / 1e9);
    json_put_key_c(o, "children");
    json_put_array(o);
    const struct node *child;
    for (size_t i = 0; level < TREE_LEVELS_MAX && (child = node_child(n, i)); i++) put_node(o, child, costs, level + 1);
    json_put_array_end(o);
    json_put_object_end(o);
}

void prom_put_explain(struct json_out *o, const struct node *root, const struct promql_cost *costs) {
    json_put_key_c(o, "explain");
    put_node(o, root, costs, 0);
}
