/* wire/otlp_names: OpenTelemetry names -> Prometheus names, by the four translation strategies of Prometheus' OTLP receiver.
 * Source: OpenTelemetry specification "Prometheus and OpenMetrics Compatibility"; Prometheus' documented unit table and settings. Pure; any thread.
 */
#pragma once
#include "base/arena.h"
#include "base/value.h"

enum otlp_translation {
    OTLP_ESCAPED_WITH_SUFFIXES, /* UnderscoreEscapingWithSuffixes, the default: http_server_duration_milliseconds */
    OTLP_UTF8_WITH_SUFFIXES,    /* NoUTF8EscapingWithSuffixes: http.server.duration_milliseconds */
    OTLP_ESCAPED,               /* UnderscoreEscapingWithoutSuffixes: http_server_duration */
    OTLP_UTF8,                  /* NoTranslation: http.server.duration */
};
MUST_USE bool otlp_translation_named(str name, enum otlp_translation *out); /* false: unknown */

enum otlp_metric_class { OTLP_CLASS_GAUGE, OTLP_CLASS_COUNTER /* monotonic */, OTLP_CLASS_OTHER };

/* Suffixes: the unit ("ms" -> _milliseconds), _total for counters, _ratio for gauges of unit "1". "" for a name without a usable character. */
str otlp_metric_name(struct arena *a, enum otlp_translation how, str name, str unit, enum otlp_metric_class class);
/* "k8s.pod.name" -> k8s_pod_name; a leading digit or single underscore gets "key" before it. Not escaped: as it is. */
str otlp_label_name(struct arena *a, enum otlp_translation how, str name);
/* "ms" -> milliseconds, "By/s" -> bytes_per_second: the unit of the metadata. */
str otlp_unit_name(struct arena *a, str unit);
/* An attribute's value as label text: lists and maps as JSON, bytes as base64. Borrows strings. */
str otlp_label_value(struct arena *a, const struct value *v);
