#include "wire/otlp_names.h"

#include "codec/json.h"
#include "codec/num.h"
#include "codec/text.h"

static const struct unit {
    str otel, prometheus;
} units[] = {
    {STR_INIT("d"), STR_INIT("days")},
    {STR_INIT("h"), STR_INIT("hours")},
    {STR_INIT("min"), STR_INIT("minutes")},
    {STR_INIT("s"), STR_INIT("seconds")},
    {STR_INIT("ms"), STR_INIT("milliseconds")},
    {STR_INIT("us"), STR_INIT("microseconds")},
    {STR_INIT("ns"), STR_INIT("nanoseconds")},
    {STR_INIT("By"), STR_INIT("bytes")},
    {STR_INIT("KiBy"), STR_INIT("kibibytes")},
    {STR_INIT("MiBy"), STR_INIT("mebibytes")},
    {STR_INIT("GiBy"), STR_INIT("gibibytes")},
    {STR_INIT("TiBy"), STR_INIT("tibibytes")},
    {STR_INIT("KBy"), STR_INIT("kilobytes")},
    {STR_INIT("MBy"), STR_INIT("megabytes")},
    {STR_INIT("GBy"), STR_INIT("gigabytes")},
    {STR_INIT("TBy"), STR_INIT("terabytes")},
    {STR_INIT("m"), STR_INIT("meters")},
    {STR_INIT("V"), STR_INIT("volts")},
    {STR_INIT("A"), STR_INIT("amperes")},
    {STR_INIT("J"), STR_INIT("joules")},
    {STR_INIT("W"), STR_INIT("watts")},
    {STR_INIT("g"), STR_INIT("grams")},
    {STR_INIT("Cel"), STR_INIT("celsius")},
    {STR_INIT("Hz"), STR_INIT("hertz")},
    {STR_INIT("1"), STR_INIT("")},
    {STR_INIT("%"), STR_INIT("percent")},
};
static const struct unit per_units[] = {
    {STR_INIT("s"), STR_INIT("second")}, {STR_INIT("m"), STR_INIT("minute")}, {STR_INIT("h"), STR_INIT("hour")}, {STR_INIT("d"), STR_INIT("day")},
    {STR_INIT("w"), STR_INIT("week")},   {STR_INIT("mo"), STR_INIT("month")}, {STR_INIT("y"), STR_INIT("year")},
};

static bool alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Tokens of a metric name: runs of letters, digits and ':'. */
struct tokens {
    str t[64];
    size_t n;
};

static void tokens_add(struct tokens *k, str text) {
    size_t from = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && (alnum(text.p[i]) || text.p[i] == ':')) continue;
        if (i > from && k->n < ARRAY_N(k->t)) k->t[k->n++] = str_sub(text, from, i);
        from = i + 1;
    }
}

static bool tokens_have(const struct tokens *k, str token) {
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(k->t[i], token)) return true;
    return false;
}

/* At the end, and only there. */
static void tokens_end_with(struct tokens *k, str token) {
    size_t kept = 0;
    for (size_t i = 0; i < k->n; i++)
        if (!str_eq(k->t[i], token)) k->t[kept++] = k->t[i];
    k->n = MIN(kept, ARRAY_N(k->t) - 1);
    k->t[k->n++] = token;
}

/* Units in braces are annotations ("{request}"); unknown ones are taken as they are. */
static str unit_word(str unit, const struct unit *table, size_t n) {
    unit = str_trim(unit);
    if (str_find_char(unit, '{') != STR_NONE || str_find_char(unit, '}') != STR_NONE) return STR("");
    for (size_t i = 0; i < n; i++)
        if (str_eq(table[i].otel, unit)) return table[i].prometheus;
    return unit;
}

static const str total = STR_INIT("total"), ratio = STR_INIT("ratio");

bool otlp_translation_named(str name, enum otlp_translation *out) {
    static const str names[] = {[OTLP_ESCAPED_WITH_SUFFIXES] = STR_INIT("UnderscoreEscapingWithSuffixes"),
                                [OTLP_UTF8_WITH_SUFFIXES] = STR_INIT("NoUTF8EscapingWithSuffixes"),
                                [OTLP_ESCAPED] = STR_INIT("UnderscoreEscapingWithoutSuffixes"),
                                [OTLP_UTF8] = STR_INIT("NoTranslation")};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (str_eq(name, names[i])) return *out = (enum otlp_translation)i, true;
    return false;
}

static void unit_words(str unit, str *word, str *per) {
    str main_unit, per_unit = unit;
    bool has_per = str_cut(&per_unit, '/', &main_unit);
    *word = unit_word(main_unit, units, ARRAY_N(units));
    *per = has_per ? unit_word(per_unit, per_units, ARRAY_N(per_units)) : STR("");
}

str otlp_unit_name(struct arena *a, str unit) {
    str word, per;
    unit_words(unit, &word, &per);
    return arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(word), per.n ? word.n ? "_per_" : "per_" : "", STR_A(per));
}

static void add_unit(struct tokens *k, str unit) {
    str word, per;
    unit_words(unit, &word, &per);
    if (word.n && !tokens_have(k, word)) tokens_add(k, word);
    if (per.n == 0 || tokens_have(k, per)) return;
    tokens_add(k, STR("per"));
    tokens_add(k, per);
}

static str join(struct arena *a, const struct tokens *k) {
    size_t n = 1;
    for (size_t i = 0; i < k->n; i++) n += k->t[i].n + 1;
    char *out = arena_alloc(a, n), *at = out;
    if (k->t[0].p[0] >= '0' && k->t[0].p[0] <= '9') *at++ = '_';
    for (size_t i = 0; i < k->n; i++) {
        if (i) *at++ = '_';
        memcpy(at, k->t[i].p, k->t[i].n);
        at += k->t[i].n;
    }
    return str_n(out, (size_t)(at - out));
}

static str escaped_with_suffixes(struct arena *a, str name, str unit, enum otlp_metric_class class) {
    struct tokens k = {0};
    tokens_add(&k, name);
    if (k.n == 0) return STR("");
    add_unit(&k, unit);
    if (class == OTLP_CLASS_COUNTER) tokens_end_with(&k, total);
    if (class == OTLP_CLASS_GAUGE && str_eq(unit, STR("1"))) tokens_end_with(&k, ratio);
    return join(a, &k);
}

/* Runs of other bytes become one underscore, but underscores stay; none at the ends. */
static str escaped(struct arena *a, str name) {
    char *out = arena_alloc(a, name.n + 1);
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!alnum(c) && c != ':' && c != '_') {
            gap = true;
            continue;
        }
        if (n == 0 && c >= '0' && c <= '9') out[n++] = '_';
        if (gap && n) out[n++] = '_';
        gap = false;
        out[n++] = c;
    }
    return str_n(out, n);
}

/* Without a suffix it may have already, and the byte before that. */
static str without(str name, str suffix) {
    return str_ends(name, suffix) && name.n > suffix.n + 1 ? str_sub(name, 0, name.n - suffix.n - 1) : name;
}
static str with(struct arena *a, str name, const char *joint, str suffix) {
    return suffix.n ? arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(name), joint, STR_A(suffix)) : name;
}

static str utf8_with_suffixes(struct arena *a, str name, str unit, enum otlp_metric_class class) {
    str word, per;
    unit_words(unit, &word, &per);
    if (class == OTLP_CLASS_COUNTER) name = without(name, total);
    if (word.n && per.n == 0) name = without(name, word);
    name = with(a, name, "_", word);
    name = with(a, name, "_per_", per);
    if (class == OTLP_CLASS_COUNTER) name = with(a, name, "_", total);
    if (class == OTLP_CLASS_GAUGE && str_eq(unit, STR("1"))) name = with(a, without(name, ratio), "_", ratio);
    return name;
}

str otlp_metric_name(struct arena *a, enum otlp_translation how, str name, str unit, enum otlp_metric_class class) {
    if (name.n == 0) return STR("");
    switch (how) {
    case OTLP_ESCAPED_WITH_SUFFIXES: return escaped_with_suffixes(a, name, unit, class);
    case OTLP_UTF8_WITH_SUFFIXES: return utf8_with_suffixes(a, name, unit, class);
    case OTLP_ESCAPED: return escaped(a, name);
    case OTLP_UTF8: return arena_str(a, name);
    }
    return STR("");
}

str otlp_label_name(struct arena *a, enum otlp_translation how, str name) {
    if (name.n == 0 || how == OTLP_UTF8 || how == OTLP_UTF8_WITH_SUFFIXES) return name;
    bool digit = name.p[0] >= '0' && name.p[0] <= '9';
    bool one_underscore = !alnum(name.p[0]) && !(name.n > 1 && name.p[0] == '_' && name.p[1] == '_');
    str prefix = digit ? STR("key_") : one_underscore ? STR("key") : STR("");
    char *out = arena_alloc(a, prefix.n + name.n);
    memcpy(out, prefix.p, prefix.n);
    for (size_t i = 0; i < name.n; i++) out[prefix.n + i] = alnum(name.p[i]) ? name.p[i] : '_';
    return str_n(out, prefix.n + name.n);
}

static str finish(struct arena *a, struct buf *b) {
    str s = arena_str(a, buf_str(b));
    buf_done(b);
    return s;
}

str otlp_label_value(struct arena *a, const struct value *v) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    switch (v->type) {
    case VAL_NULL: return STR("");
    case VAL_BOOL: return v->b ? STR("true") : STR("false");
    case VAL_INT: buf_i64(&b, v->i); return finish(a, &b);
    case VAL_DOUBLE: num_put_double(&b, v->d); return finish(a, &b);
    case VAL_STRING: return v->s;
    case VAL_BYTES: base64_put(&b, v->s); return finish(a, &b);
    case VAL_ARRAY:
    case VAL_MAP: json_put_value(&o, v); return finish(a, &b);
    }
    return STR("");
}
