/* wire/otlp_names: OpenTelemetry names -> Prometheus names, strategy UnderscoreEscapingWithSuffixes (Prometheus' default for its OTLP receiver).
 * Source: OpenTelemetry specification "Prometheus and OpenMetrics Compatibility"; Prometheus' documented unit table. Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/value.h"

enum otlp_metric_class { OTLP_CLASS_GAUGE, OTLP_CLASS_COUNTER /* monotonic */, OTLP_CLASS_OTHER };

/* "http.server.duration", "ms" -> http_server_duration_milliseconds; counters get _total, gauges of unit "1" _ratio. "" for a name without a usable
 * character. */
str otlp_metric_name(struct arena *a, str name, str unit, enum otlp_metric_class class);
/* "k8s.pod.name" -> k8s_pod_name; a leading digit or single underscore gets "key" before it. */
str otlp_label_name(struct arena *a, str name);
/* An attribute's value as label text: lists and maps as JSON, bytes as base64. Borrows strings. */
str otlp_label_value(struct arena *a, const struct value *v);
