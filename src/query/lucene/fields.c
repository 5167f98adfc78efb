#include "query/lucene/fields.h"

#include "base/hash.h"

/* What every log has, whether or not a document was seen to carry it. */
static const struct {
    str name;
    unsigned kinds;
} builtin[] = {
    {STR_INIT("@timestamp"), KIND_DATE},    {STR_INIT("_id"), KIND_ID},
    {STR_INIT("_index"), KIND_KEYWORD},     {STR_INIT("message"), KIND_TEXT},
    {STR_INIT("severity_text"), KIND_TEXT}, {STR_INIT("severity_number"), KIND_LONG},
    {STR_INIT("trace_id"), KIND_TEXT},      {STR_INIT("span_id"), KIND_TEXT},
    {STR_INIT("service.name"), KIND_TEXT},  {STR_INIT("scope.name"), KIND_TEXT},
};

struct fields fields_open(const struct field_info *list, size_t n) {
    struct fields f = {.list = list, .n = n};
    for (size_t i = 0; i < n; i++) map_put(&f.by_name, hash_str(list[i].name), i + 1);
    return f;
}
void fields_done(struct fields *f) {
    map_done(&f->by_name);
}

static const struct field_info *find(const struct fields *f, str name) {
    uint64_t hash = hash_str(name);
    for (size_t at = map_first(&f->by_name, hash); at != MAP_END; at = map_next(&f->by_name, at, hash)) {
        const struct field_info *info = &f->list[f->by_name.slots[at].value - 1];
        if (str_eq(info->name, name)) return info;
    }
    return NULL;
}

unsigned field_info_kinds(const struct field_info *info) {
    unsigned kinds = 0;
    if (info->types & 1u << VAL_STRING) kinds |= info->all_dates ? KIND_DATE : KIND_TEXT;
    if (info->types & 1u << VAL_DOUBLE)
        kinds |= KIND_DOUBLE;
    else if (info->types & 1u << VAL_INT)
        kinds |= KIND_LONG;
    if (info->types & 1u << VAL_BOOL) kinds |= KIND_BOOL;
    return kinds;
}

static unsigned kinds_of(const struct fields *f, str name) {
    for (size_t i = 0; i < 3; i++) /* @timestamp, _id, _index are ours whatever documents say */
        if (str_eq(builtin[i].name, name)) return builtin[i].kinds;
    const struct field_info *info = find(f, name);
    unsigned kinds = info ? field_info_kinds(info) : 0;
    for (size_t i = 3; i < ARRAY_N(builtin) && !kinds; i++)
        if (str_eq(builtin[i].name, name)) kinds = builtin[i].kinds;
    return kinds;
}

struct field_ref fields_resolve(const struct fields *f, str name) {
    const str keyword = STR(".keyword");
    bool glob = str_find_char(name, '*') != STR_NONE;
    bool is_keyword = str_ends(name, keyword) && name.n > keyword.n;
    str stem = is_keyword ? str_sub(name, 0, name.n - keyword.n) : name;
    if (glob) {
        unsigned all = KIND_TEXT | KIND_KEYWORD | KIND_LONG | KIND_DOUBLE | KIND_BOOL | KIND_DATE;
        return (struct field_ref){.name = stem, .kinds = is_keyword ? KIND_KEYWORD : all, .glob = true};
    }
    unsigned kinds = kinds_of(f, name);
    if (kinds || !is_keyword) return (struct field_ref){.name = name, .kinds = kinds};
    return (struct field_ref){.name = stem, .kinds = kinds_of(f, stem) & KIND_TEXT ? KIND_KEYWORD : 0};
}

const char *field_kind_name(unsigned kinds) {
    static const char *const names[] = {"text", "keyword", "long", "double", "boolean", "date", "_id"};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (kinds & 1u << i) return names[i];
    return "unmapped";
}
