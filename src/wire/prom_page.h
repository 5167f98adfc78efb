/* wire/prom_page: which of the three forms a metrics page has, and reading it. Pure; any thread. Source: Prometheus' documentation "Content
 * negotiation": since version 3 a page without a Content-Type, or with an unknown one, is refused unless a fallback is set. */
#pragma once
#include "wire/prom_text.h"

enum prom_format { PROM_NONE, PROM_TEXT, PROM_OPENMETRICS, PROM_PROTOBUF };

/* By Content-Type: PROM_NONE for an empty or another one. */
enum prom_format prom_format_of(str content_type);
/* By the name Prometheus' settings give it: "PrometheusText0.0.4", "OpenMetricsText1.0.0", "PrometheusProto"...; false: unknown. "" is PROM_NONE. */
MUST_USE bool prom_format_named(str name, enum prom_format *out);
/* prom_text_parse or prom_proto_parse; sets o->openmetrics itself. */
MUST_USE bool prom_page_parse(str page, enum prom_format format, struct prom_text_options o, struct metric_batch *b, struct err *e);
