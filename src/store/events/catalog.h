/* store/events/catalog: what a part holds, by name: fields, operations, Elasticsearch indices. Counted from blocks, kept with a part on disk
 * as three of its sections, added up over parts to answer the catalogue calls of events.h. One thread at a time.
 *
 *   FIELDS      n, per field: name slice, types (bit per enum value_type), events, u8 all_dates
 *   OPERATIONS  n, per operation: service slice, name slice, u8 span kind
 *   INDICES     n, per index: name slice, events                                                  (varints) */
#pragma once
#include "store/events/block.h"
#include "store/events/events.h"

struct catalog;
enum { CATALOG_OPERATIONS_MAX = 65536 }; /* span names made of ids must not eat the memory: more are not remembered */

struct catalog *catalog_new(void);
void catalog_free(struct catalog *c);
void catalog_add_block(struct catalog *c, struct block *b);
/* The catalogue of a part: its sections, or counted if it has none. Any thread. */
struct catalog *catalog_of_part(struct part *p);
void catalog_add_part(struct catalog *c, struct part *p); /* loop thread: remembers the part's own */
void catalog_add(struct catalog *c, const struct catalog *other);
void catalog_put(const struct catalog *c, struct packer *p);

/* Results are copied into the arena, sorted by name. */
void catalog_fields(const struct catalog *c, struct arena *a, struct field_info **out, size_t *n);
void catalog_indices(const struct catalog *c, struct arena *a, struct index_count **out, size_t *n);
void catalog_services(const struct catalog *c, struct arena *a, str **out, size_t *n);
void catalog_operations(const struct catalog *c, str service, struct arena *a, struct operation **out, size_t *n);
