#include "wire/prom_page.h"

#include "wire/prom_proto.h"

/* The value of a parameter of a media type, without quotes; empty: none. */
static str parameter(str media_type, str name) {
    str part, key;
    while (media_type.n) {
        str_cut(&media_type, ';', &part);
        str value = str_trim(part);
        if (!str_cut(&value, '=', &key) || !str_eq_nocase(str_trim(key), name)) continue;
        value = str_trim(value);
        bool quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
        return quoted ? str_sub(value, 1, value.n - 1) : value;
    }
    return STR_NULL;
}

enum prom_format prom_format_of(str content_type) {
    str rest = content_type, type;
    str_cut(&rest, ';', &type);
    type = str_trim(type);
    if (str_eq_nocase(type, STR("text/plain"))) return PROM_TEXT;
    if (str_eq_nocase(type, STR("application/openmetrics-text"))) return PROM_OPENMETRICS;
    if (!str_eq_nocase(type, STR("application/vnd.google.protobuf"))) return PROM_NONE;
    bool known =
        str_eq(parameter(rest, STR("proto")), STR("io.prometheus.client.MetricFamily")) && str_eq(parameter(rest, STR("encoding")), STR("delimited"));
    return known ? PROM_PROTOBUF : PROM_NONE;
}

bool prom_format_named(str name, enum prom_format *out) {
    static const struct {
        str name;
        enum prom_format format;
    } formats[] = {{STR_INIT(""), PROM_NONE},
                   {STR_INIT("PrometheusText0.0.4"), PROM_TEXT},
                   {STR_INIT("PrometheusText1.0.0"), PROM_TEXT},
                   {STR_INIT("OpenMetricsText0.0.1"), PROM_OPENMETRICS},
                   {STR_INIT("OpenMetricsText1.0.0"), PROM_OPENMETRICS},
                   {STR_INIT("PrometheusProto"), PROM_PROTOBUF}};
    for (size_t i = 0; i < ARRAY_N(formats); i++)
        if (str_eq(formats[i].name, name)) return *out = formats[i].format, true;
    return false;
}

bool prom_page_parse(str page, enum prom_format format, struct prom_text_options o, struct metric_batch *b, struct err *e) {
    assert(format != PROM_NONE);
    o.openmetrics = format == PROM_OPENMETRICS;
    return format == PROM_PROTOBUF ? prom_proto_parse(page, &o, b, e) : prom_text_parse(page, &o, b, e);
}
