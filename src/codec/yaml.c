#include "codec/yaml.h"

#include <yaml.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

enum { NODES_MAX = 1000000, DEPTH_MAX = 64 };

struct pairs {
    struct yaml_pair *p;
    size_t n, cap;
};
/* A finished node that has a name. An alias shares the node's memory; the budget counts it as if copied, because readers walk it again. */
struct anchor {
    str name;
    struct yaml node;
    size_t nodes;
    unsigned height; /* levels of nesting below */
};
struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; taken by next_event */
    const char *file;
    struct arena *arena;
    struct err *e;
    size_t nodes;
    struct {
        struct anchor *p;
        size_t n, cap;
    } anchors;
};

static bool refuse(struct reader *r, unsigned line, unsigned column, const char *why, str what) {
    const char *quote = what.n ? " \"" : "";
    return err_set(r->e, ERR_INPUT, "%s:%u:%u: %s%s%" STR_F "%s", r->file, line, column, why, quote, STR_A(str_sub(what, 0, 64)), what.n ? "\"" : "");
}

static unsigned line_of(const yaml_event_t *ev) {
    return (unsigned)ev->start_mark.line + 1;
}
static unsigned column_of(const yaml_event_t *ev) {
    return (unsigned)ev->start_mark.column + 1;
}

/* libyaml knows line and column, except where the bytes are not text. */
static bool syntax_error(struct reader *r) {
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_READER_ERROR) return err_set(r->e, ERR_INPUT, "%s: %s (at byte %zu)", r->file, problem, p->problem_offset);
    return refuse(r, (unsigned)p->problem_mark.line + 1, (unsigned)p->problem_mark.column + 1, problem, STR_NULL);
}

static bool next_event(struct reader *r) {
    yaml_event_delete(&r->event);
    return yaml_parser_parse(&r->parser, &r->event) || syntax_error(r);
}

static str copy(struct reader *r, const yaml_char_t *p, size_t n) {
    return arena_str(r->arena, str_n(p, n));
}

/* Counts nodes before they exist: the budget bounds memory and, with aliases, the work of whoever walks the tree. */
static bool spend(struct reader *r, size_t nodes, unsigned depth) {
    const yaml_event_t *ev = &r->event;
    r->nodes += nodes;
    if (r->nodes > NODES_MAX) return refuse(r, line_of(ev), column_of(ev), "more than 1000000 values (aliases count as copies)", STR_NULL);
    return depth <= DEPTH_MAX || refuse(r, line_of(ev), column_of(ev), "more than 64 levels of nesting", STR_NULL);
}

static bool read_node(struct reader *r, unsigned depth, struct yaml *out, unsigned *height);

static bool read_alias(struct reader *r, unsigned depth, struct yaml *out, unsigned *height) {
    str name = str_c((const char *)r->event.data.alias.anchor);
    for (size_t i = r->anchors.n; i-- > 0;) {
        const struct anchor *a = &r->anchors.p[i];
        if (!str_eq(a->name, name)) continue;
        *out = a->node;
        *height = a->height;
        return spend(r, a->nodes, depth + a->height);
    }
    return refuse(r, line_of(&r->event), column_of(&r->event), "an alias of something not (yet) defined:", name);
}

static bool is_null(str s) {
    return s.n == 0 || str_eq(s, STR("~")) || str_eq(s, STR("null")) || str_eq(s, STR("Null")) || str_eq(s, STR("NULL"));
}

static void read_scalar(struct reader *r, struct yaml *out) {
    const char *tag = (const char *)r->event.data.scalar.tag;
    out->scalar = copy(r, r->event.data.scalar.value, r->event.data.scalar.length);
    out->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (tag && strcmp(tag, YAML_STR_TAG) == 0);
    out->type = !out->quoted && is_null(out->scalar) ? YAML_NULL : YAML_SCALAR;
}

static bool read_list(struct reader *r, unsigned depth, struct yaml *out, unsigned *height) {
    struct {
        struct yaml *p;
        size_t n, cap;
    } items = {0};
    for (;;) {
        if (!next_event(r)) return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
        struct yaml item;
        unsigned below;
        if (!read_node(r, depth + 1, &item, &below)) return false;
        *height = MAX(*height, below + 1);
        avec_push(r->arena, &items, item);
    }
    out->type = YAML_LIST;
    out->items = items.p;
    out->n = items.n;
    return true;
}

/* --- maps, with the merge keys of YAML 1.1 (yaml.org/type/merge.html): what stands in the map itself wins, then the earlier source */

static const struct yaml_pair *find(const struct pairs *pairs, const struct map *index, str key) {
    uint64_t hash = hash_str(key);
    for (size_t at = map_first(index, hash); at != MAP_END; at = map_next(index, at, hash))
        if (str_eq(pairs->p[index->slots[at].value - 1].key, key)) return &pairs->p[index->slots[at].value - 1];
    return NULL;
}

static void add(struct reader *r, struct pairs *pairs, struct map *index, struct yaml_pair pair) {
    avec_push(r->arena, pairs, pair);
    map_put(index, hash_str(pair.key), pairs->n);
}

static bool merge(struct reader *r, struct pairs *pairs, struct map *index, const struct yaml *from) {
    if (from->type == YAML_LIST) {
        for (size_t i = 0; i < from->n; i++) {
            if (from->items[i].type == YAML_LIST || !merge(r, pairs, index, &from->items[i]))
                return refuse(r, from->line, from->column, "<< needs a map or a list of maps", STR_NULL);
        }
        return true;
    }
    if (from->type != YAML_MAP) return refuse(r, from->line, from->column, "<< needs a map or a list of maps", STR_NULL);
    for (size_t i = 0; i < from->n; i++)
        if (!find(pairs, index, from->pairs[i].key)) add(r, pairs, index, from->pairs[i]);
    return true;
}

/* The key at the current event, then its value. */
static bool read_pair(struct reader *r, unsigned depth, struct yaml_pair *out, bool *is_merge, unsigned *height) {
    struct yaml key = {0};
    out->line = line_of(&r->event);
    out->column = column_of(&r->event);
    if (r->event.type != YAML_SCALAR_EVENT) return refuse(r, out->line, out->column, "a key must be plain text", STR_NULL);
    if (!spend(r, 1, depth)) return false;
    read_scalar(r, &key);
    out->key = key.scalar;
    *is_merge = !key.quoted && str_eq(key.scalar, STR("<<"));
    unsigned below;
    if (!next_event(r) || !read_node(r, depth + 1, &out->value, &below)) return false;
    *height = MAX(*height, below + 1);
    return true;
}

static bool read_pairs(struct reader *r, unsigned depth, struct pairs *pairs, struct map *index, unsigned *height) {
    struct yaml merged = {.type = YAML_NULL};
    for (;;) {
        if (!next_event(r)) return false;
        if (r->event.type == YAML_MAPPING_END_EVENT) break;
        struct yaml_pair pair;
        bool is_merge = false;
        if (!read_pair(r, depth, &pair, &is_merge, height)) return false;
        const struct yaml_pair *twin = is_merge ? NULL : find(pairs, index, pair.key);
        if (twin || (is_merge && merged.type != YAML_NULL)) return refuse(r, pair.line, pair.column, "a second time the key", pair.key);
        if (is_merge)
            merged = pair.value;
        else
            add(r, pairs, index, pair);
    }
    return merged.type == YAML_NULL || merge(r, pairs, index, &merged);
}

static bool read_map(struct reader *r, unsigned depth, struct yaml *out, unsigned *height) {
    struct pairs pairs = {0};
    struct map index = {0};
    bool ok = read_pairs(r, depth, &pairs, &index, height);
    map_done(&index);
    out->type = YAML_MAP;
    out->pairs = pairs.p;
    out->n = pairs.n;
    return ok;
}

static const yaml_char_t *anchor_of(const yaml_event_t *ev) {
    if (ev->type == YAML_SCALAR_EVENT) return ev->data.scalar.anchor;
    if (ev->type == YAML_SEQUENCE_START_EVENT) return ev->data.sequence_start.anchor;
    return ev->type == YAML_MAPPING_START_EVENT ? ev->data.mapping_start.anchor : NULL;
}

static const char *tag_of(const yaml_event_t *ev) {
    if (ev->type == YAML_SCALAR_EVENT) return (const char *)ev->data.scalar.tag;
    if (ev->type == YAML_SEQUENCE_START_EVENT) return (const char *)ev->data.sequence_start.tag;
    return ev->type == YAML_MAPPING_START_EVENT ? (const char *)ev->data.mapping_start.tag : NULL;
}

/* The standard tags say what the reader of the tree will find out anyway; others ask for something nobody here would do. */
static bool check_tag(struct reader *r) {
    static const char *const standard[] = {YAML_NULL_TAG, YAML_BOOL_TAG, YAML_STR_TAG, YAML_INT_TAG, YAML_FLOAT_TAG, YAML_SEQ_TAG, YAML_MAP_TAG, "!"};
    const char *tag = tag_of(&r->event);
    for (size_t i = 0; tag && i < ARRAY_N(standard); i++)
        if (strcmp(tag, standard[i]) == 0) return true;
    return !tag || refuse(r, line_of(&r->event), column_of(&r->event), "a tag with no meaning here:", str_c(tag));
}

/* Recursion is bounded by DEPTH_MAX. On success the current event is the node's last. */
static bool read_node(struct reader *r, unsigned depth, struct yaml *out, unsigned *height) {
    *height = 0;
    if (r->event.type == YAML_ALIAS_EVENT) return read_alias(r, depth, out, height);
    const yaml_char_t *name = anchor_of(&r->event);
    size_t nodes_before = r->nodes;
    struct anchor anchor = {.name = name ? arena_str(r->arena, str_c((const char *)name)) : STR_NULL};
    struct yaml node = {.line = line_of(&r->event), .column = column_of(&r->event)};
    if (!spend(r, 1, depth) || !check_tag(r)) return false;
    if (r->event.type == YAML_SCALAR_EVENT) {
        read_scalar(r, &node);
    } else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        if (!read_list(r, depth, &node, height)) return false;
    } else {
        assert(r->event.type == YAML_MAPPING_START_EVENT);
        if (!read_map(r, depth, &node, height)) return false;
    }
    if (anchor.name.n) {
        anchor.node = node;
        anchor.nodes = r->nodes - nodes_before;
        anchor.height = *height;
        avec_push(r->arena, &r->anchors, anchor);
    }
    *out = node;
    return true;
}

/* stream start, [document start, node, document end], stream end. */
static bool read_stream(struct reader *r, struct yaml *out) {
    struct yaml root = {.type = YAML_NULL, .line = 1, .column = 1};
    if (!next_event(r) || !next_event(r)) return false;
    if (r->event.type == YAML_DOCUMENT_START_EVENT) {
        unsigned height;
        if (!next_event(r) || !read_node(r, 1, &root, &height) || !next_event(r) || !next_event(r)) return false;
    }
    if (r->event.type != YAML_STREAM_END_EVENT)
        return refuse(r, line_of(&r->event), column_of(&r->event), "a second document; only one is expected", STR_NULL);
    *out = root;
    return true;
}

bool yaml_parse(str text, const char *file, struct arena *a, struct yaml *out, struct err *e) {
    struct reader r = {.file = file, .arena = a, .e = e};
    bool started = yaml_parser_initialize(&r.parser);
    assert(started);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    bool ok = read_stream(&r, out);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return ok;
}

const struct yaml *yaml_get(const struct yaml *map, str key) {
    if (!map || map->type != YAML_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (str_eq(map->pairs[i].key, key)) return &map->pairs[i].value;
    return NULL;
}

bool yaml_bool(const struct yaml *y, bool *out) {
    static const struct {
        str word;
        bool value;
    } words[] = {{STR_INIT("true"), true}, {STR_INIT("false"), false}, {STR_INIT("yes"), true},
                 {STR_INIT("no"), false},  {STR_INIT("on"), true},     {STR_INIT("off"), false}};
    if (!y || y->type != YAML_SCALAR || y->quoted) return false;
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        if (!str_eq_nocase(words[i].word, y->scalar)) continue;
        *out = words[i].value;
        return true;
    }
    return false;
}
