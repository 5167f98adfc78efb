#include "wire/prom_labels.h"

#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "model/sample.h"

str prom_float_text(struct arena *a, double v) {
    if (isnan(v)) return STR("NaN");
    if (isinf(v)) return v > 0 ? STR("+Inf") : STR("-Inf");
    if (v == 0) return signbit(v) ? STR("-0.0") : STR("0.0");
    uint64_t digits;
    int exp10, n = 0;
    num_shortest(v, &digits, &exp10);
    char d[24];
    for (uint64_t rest = digits; rest; rest /= 10) n++;
    for (int i = n; i > 0; i--, digits /= 10) d[i - 1] = (char)('0' + digits % 10);
    int exponent = exp10 + n - 1;
    if (exponent >= -4 && exponent < 6) {
        char plain[NUM_DOUBLE_MAX];
        str s = str_n(plain, num_format_double(plain, v));
        return str_find_char(s, '.') == STR_NONE ? arena_printf(a, "%" STR_F ".0", STR_A(s)) : arena_str(a, s);
    }
    return arena_printf(a, "%s%c%s%.*se%c%02d", signbit(v) ? "-" : "", d[0], n > 1 ? "." : "", n - 1, d + 1, exponent < 0 ? '-' : '+', abs(exponent));
}

str prom_float_normal(struct arena *a, str text) {
    double v;
    return num_parse_double(text, &v) ? prom_float_text(a, v) : text;
}

static bool has_label(const struct prom_labels *found, str name) {
    for (size_t i = 0; i < found->l.n; i++)
        if (str_eq(found->l.p[i].name, name)) return true;
    return false;
}

void prom_resolve_conflicts(struct prom_labels *found, struct labels target) {
    size_t n = found->l.n;
    for (size_t i = 0; i < n; i++) {
        str name = found->l.p[i].name;
        if (found->l.p[i].value.n == 0 || labels_get(target, name).n == 0) continue;
        do name = arena_printf(found->arena, "exported_%" STR_F, STR_A(name));
        while (has_label(found, name) || labels_get(target, name).n);
        found->l.p[i].name = name;
    }
}

bool prom_labels_take(struct prom_labels *found, struct labels *out, struct err *e) {
    if (!labels_sort(found->l.p, &found->l.n, e)) return false;
    struct label *l = arena_new_n(found->arena, struct label, found->l.n);
    if (found->l.n) memcpy(l, found->l.p, found->l.n * sizeof *l);
    *out = (struct labels){l, found->l.n};
    return true;
}

double prom_normal_nan(void) {
    const uint64_t bits = NORMAL_NAN_BITS;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
