/* query/lucene/fields: what a field name in a query stands for: the store's field catalogue read as Elasticsearch's dynamic mapping would have it
 * (string: text, with f.keyword beside it; integer: long; other number: double; boolean; ISO date: date). Where documents disagree on the type, a
 * field has several kinds and a clause matches by any. Immutable once made; any thread; lives in the arena it was made in. */
#pragma once
#include "base/map.h"
#include "store/events/events.h"

enum field_kind { KIND_TEXT = 1, KIND_KEYWORD = 2, KIND_LONG = 4, KIND_DOUBLE = 8, KIND_BOOL = 16, KIND_DATE = 32, KIND_ID = 64 };

struct fields {
    const struct field_info *list;
    size_t n;
    struct map by_name; /* its slots are freed by fields_done */
};
struct field_ref {
    str name;       /* as the store knows it: f.keyword is f; may be a glob */
    unsigned kinds; /* bits of enum field_kind; 0: not mapped, nothing matches */
    bool glob;
};

/* list: borrowed (evdb_fields). */
struct fields fields_open(const struct field_info *list, size_t n);
void fields_done(struct fields *f);
struct field_ref fields_resolve(const struct fields *f, str name);
unsigned field_info_kinds(const struct field_info *info); /* without KIND_KEYWORD */
/* "long", "keyword"...: of the lowest bit. */
const char *field_kind_name(unsigned kinds);
