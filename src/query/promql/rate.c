#include "query/promql/engine.h"

/* rate, increase, delta, irate, idelta, changes, resets: differences between samples of a window.
 *
 * A counter is reset between two samples when its value falls, or when the later sample's start timestamp lies behind the earlier sample
 * (st > t_prev, or st == t_prev and it is a new one) and before the sample itself. */

static uint32_t arg_at(const struct range_call *c) {
    return c->arg->from;
}

static bool started_between(const struct rseries *s, size_t i) {
    if (!s->st || s->st[i] == 0 || s->st[i] >= s->t[i]) return false;
    return s->st[i] > s->t[i - 1] || (s->st[i] == s->t[i - 1] && s->st[i - 1] != s->st[i]);
}

/* The first sample's start inside the window is a sample of value zero. */
static bool starts_inside(const struct range_call *c) {
    const struct rseries *s = c->s;
    if (!s->st) return false;
    int64_t st = s->st[c->lo];
    return st != 0 && st > c->from_ms && st < s->t[c->lo];
}

/* Of samples [lo, hi), all histograms. NULL: no value. from_zero: the counter starts at zero before sample lo. */
static struct hist *histogram_rate(struct range_call *c, size_t lo, size_t hi, bool is_counter, bool from_zero) {
    const struct rseries *s = c->s;
    struct run *r = c->r;
    str name = metric_name(s->labels);
    const struct hist *first = s->h[lo];
    const struct hist *last = s->h[hi - 1];
    const struct hist *prev = first;
    if (is_counter && (first->hint == RESET_GAUGE || last->hint == RESET_GAUGE)) note_named(r, NOTE_NOT_COUNTER, arg_at(c), name);
    bool ignore_first = from_zero;
    if (is_counter && hi - lo > 1 && !from_zero) ignore_first = started_between(s, lo + 1) || hist_is_reset(r->window, s->h[lo + 1], first);
    if (ignore_first) prev = hist_zero_like(r->a, from_zero ? first : s->h[lo + 1]);
    bool custom = hist_is_custom(prev);
    bool mixed = custom != hist_is_custom(last);
    for (size_t i = lo + 1; i + 1 < hi && is_counter && !mixed; i++) {
        if (s->h[i]->hint == RESET_GAUGE) note_named(r, NOTE_NOT_COUNTER, arg_at(c), name);
        mixed = hist_is_custom(s->h[i]) != custom;
    }
    if (mixed) {
        note_named(r, NOTE_MIXED_EXPONENTIAL_CUSTOM, arg_at(c), name);
        return NULL;
    }
    struct hist *h = hist_copy(r->a, last);
    struct hist_notes subtraction = {0};
    if (!hist_add(r->a, h, prev, -1, &subtraction)) return NULL;
    subtraction.collision = false; /* resets are handled here, whatever the hints say */
    note_hist(r, arg_at(c), &subtraction, "subtraction");
    if (!is_counter) {
        if (first->hint != RESET_GAUGE || last->hint != RESET_GAUGE) note_named(r, NOTE_NOT_GAUGE, arg_at(c), name);
    }
    for (size_t i = from_zero ? lo : lo + 1; i < hi && is_counter; prev = s->h[i], i++) {
        bool reset = i > lo && (started_between(s, i) || hist_is_reset(r->window, s->h[i], prev));
        if (!reset) continue;
        struct hist_notes addition = {0};
        if (!hist_add(r->a, h, prev, 1, &addition)) return NULL;
        addition.collision = false;
        note_hist(r, arg_at(c), &addition, "addition");
    }
    h->hint = RESET_GAUGE;
    hist_finish(h);
    return h;
}

static inline double float_increase(const struct range_call *c, bool is_counter, double first) {
    const double *v = c->s->v;
    double result = v[c->hi - 1] - first;
    if (!is_counter || c->rising) return result;
    for (size_t i = c->lo + 1; i < c->hi; i++)
        if (v[i] < v[i - 1] || started_between(c->s, i)) result += v[i - 1];
    return result;
}

/* A window's difference is stretched towards the window's edges, all the way when the samples end close enough to them. */
static struct stretch measure(const struct range_call *c, const struct window *w, bool is_rate, bool from_zero, int64_t to_ms) {
    const int64_t *t = c->s->t;
    int64_t first_ms = from_zero ? c->s->st[w->lo] : t[w->lo];
    int64_t last_ms = t[w->hi - 1];
    size_t gaps = w->hi - w->lo - 1;
    double average = gaps ? (double)(last_ms - t[w->lo]) / 1000 / (double)gaps : 0;
    double threshold = average * 1.1;
    int64_t range_ms = window_range(c, to_ms);
    struct stretch s = {.known = true, .range_s = (double)range_ms / 1000, .sampled = (double)(last_ms - first_ms) / 1000};
    s.to_start = (double)(first_ms - (to_ms - range_ms)) / 1000;
    s.to_end = (double)(to_ms - last_ms) / 1000;
    if (s.to_start >= threshold) s.to_start = average / 2;
    if (s.to_end >= threshold) s.to_end = average / 2;
    if (from_zero) s.to_start = 0;
    s.factor = (s.sampled + s.to_start + s.to_end) / s.sampled;
    if (is_rate) s.factor /= s.range_s;
    return s;
}

/* A counter does not extrapolate below zero: first_value / result of the sampled time before the first sample. */
static inline double stretch_factor(const struct stretch *s, bool is_counter, bool is_rate, double first_value, double result) {
    if (!is_counter || !(result > 0 && first_value >= 0 && s->sampled * first_value < s->to_start * result)) return s->factor;
    double to_zero = s->sampled * (first_value / result);
    double factor = (s->sampled + to_zero + s->to_end) / s->sampled;
    return is_rate ? factor / s->range_s : factor;
}

static double extrapolation(struct range_call *c, bool is_counter, bool is_rate, bool from_zero, double first_value, double result) {
    struct window *w = &c->windows.p[c->step];
    struct stretch from_start;
    if (from_zero)
        from_start = measure(c, w, is_rate, true, c->to_ms);
    else if (!w->stretch.known)
        w->stretch = measure(c, w, is_rate, false, c->to_ms);
    return stretch_factor(from_zero ? &from_start : &w->stretch, is_counter, is_rate, first_value, result);
}

/* The common case, all windows in one loop. */
static inline void extrapolate_plain(struct range_call *c, bool is_counter, bool is_rate, double *out) {
    const double *v = c->s->v;
    for (size_t step = 0; step < c->g->n; step++) {
        struct window *w = &c->windows.p[step];
        if (w->hi - w->lo < 2) continue;
        if (!w->stretch.known) w->stretch = measure(c, w, is_rate, false, range_end(c->src, step));
        c->lo = w->lo;
        c->hi = w->hi;
        double result = float_increase(c, is_counter, v[w->lo]);
        out[step] = result * stretch_factor(&w->stretch, is_counter, is_rate, v[w->lo], result);
    }
}

void plain_rate(struct range_call *c, double *out) {
    extrapolate_plain(c, true, true, out);
}
void plain_increase(struct range_call *c, double *out) {
    extrapolate_plain(c, true, false, out);
}
void plain_delta(struct range_call *c, double *out) {
    extrapolate_plain(c, false, false, out);
}

static bool extended(struct range_call *c, bool is_counter, bool is_rate);

static bool extrapolated(struct range_call *c, bool is_counter, bool is_rate) {
    const struct rseries *s = c->s;
    if (c->anchored || c->smoothed) return extended(c, is_counter, is_rate);
    size_t n = c->hi - c->lo;
    bool from_zero = is_counter && starts_inside(c);
    size_t floats = n;
    size_t hists = 0;
    if (s->h) count_window(c, &floats, &hists);
    if (floats && hists) {
        note_named(c->r, NOTE_MIXED_FLOATS_HISTOGRAMS, arg_at(c), metric_name(s->labels));
        return false;
    }
    if (n < 2 && !from_zero) return false;
    if (floats) {
        double first = from_zero ? 0 : s->v[c->lo];
        double result = float_increase(c, is_counter, first);
        c->out = result * extrapolation(c, is_counter, is_rate, from_zero, first, result);
        return true;
    }
    struct hist *h = histogram_rate(c, c->lo, c->hi, is_counter, from_zero);
    if (!h) return false;
    hist_scale(h, extrapolation(c, is_counter, is_rate, from_zero, from_zero ? 0 : s->h[c->lo]->count, h->count));
    c->out_h = h;
    return true;
}

bool fn_rate(struct range_call *c) {
    return extrapolated(c, true, true);
}
bool fn_increase(struct range_call *c) {
    return extrapolated(c, true, false);
}
bool fn_delta(struct range_call *c) {
    return extrapolated(c, false, false);
}

/* --- anchored and smoothed ranges: exact edges instead of extrapolation */

/* Narrows [lo, hi) to the last sample at or before the window's start and (smoothed) the first at or after its end. */
static bool narrow(struct range_call *c) {
    const int64_t *t = c->s->t;
    size_t last = c->hi - 1;
    while (c->lo + 1 < c->hi && t[c->lo + 1] <= c->from_ms) c->lo++;
    if (c->smoothed) {
        last = c->lo;
        while (last + 1 < c->hi && t[last] < c->to_ms) last++;
    }
    c->hi = last + 1;
    return t[last] > c->from_ms && t[c->lo] <= c->to_ms;
}

static double part(const struct rseries *s, size_t i, int64_t t) {
    return (double)(t - s->t[i]) / (double)(s->t[i + 1] - s->t[i]);
}

/* Between sample i and the next. Across a reset, the left edge of a counter rises from zero, its right edge goes on from sample i. */
static double between(const struct rseries *s, size_t i, int64_t t, bool is_counter, bool left) {
    double y1 = s->v[i];
    double y2 = s->v[i + 1];
    if (is_counter && y2 < y1) {
        if (left)
            y1 = 0;
        else
            y2 += y1;
    }
    return y1 + (y2 - y1) * part(s, i, t);
}

static double float_extended(const struct range_call *c, bool is_counter) {
    const struct rseries *s = c->s;
    size_t last = c->hi - 1;
    bool cut_left = c->smoothed && s->t[c->lo] < c->from_ms;
    bool cut_right = c->smoothed && last > c->lo && s->t[last] > c->to_ms;
    double left = cut_left ? between(s, c->lo, c->from_ms, is_counter, true) : s->v[c->lo];
    bool same_gap = cut_left && cut_right && last == c->lo + 1;
    double right = cut_right ? between(s, last - 1, c->to_ms, is_counter, same_gap) : s->v[last];
    double result = right - left;
    if (!is_counter) return result;
    double prev = left;
    for (size_t i = c->lo + 1; i < last; i++) {
        if (s->v[i] < prev) result += prev;
        prev = s->v[i];
    }
    return right < prev ? result + prev : result;
}

/* The same with histograms; NULL: no value. */
static struct hist *hist_extended(struct range_call *c, bool is_counter) {
    const struct rseries *s = c->s;
    struct run *r = c->r;
    size_t last = c->hi - 1;
    bool cut_left = c->smoothed && s->t[c->lo] < c->from_ms;
    bool cut_right = c->smoothed && last > c->lo && s->t[last] > c->to_ms;
    bool same_gap = cut_left && cut_right && last == c->lo + 1;
    struct hist_notes notes = {0};
    const struct hist *left = s->h[c->lo];
    bool left_reset = cut_left && is_counter && hist_is_reset(r->window, s->h[c->lo + 1], left);
    if (cut_left)
        left = hist_interpolate(r->a, left_reset ? hist_zero_like(r->a, s->h[c->lo + 1]) : left, s->h[c->lo + 1], part(s, c->lo, c->from_ms));
    const struct hist *right = s->h[last];
    if (cut_right) {
        const struct hist *a = s->h[last - 1];
        const struct hist *b = s->h[last];
        if (is_counter && hist_is_reset(r->window, b, a)) {
            struct hist *on = hist_copy(r->a, b); /* goes on from a */
            if (!same_gap && !hist_add(r->a, on, a, 1, &notes)) return NULL;
            if (same_gap) a = hist_zero_like(r->a, b);
            b = on;
        }
        right = hist_interpolate(r->a, a, b, part(s, last - 1, c->to_ms));
    }
    if (!left || !right) return NULL;
    struct hist *h = hist_copy(r->a, right);
    if (!hist_add(r->a, h, left, -1, &notes)) return NULL;
    note_hist(r, arg_at(c), &(struct hist_notes){.reconciled = notes.reconciled}, "subtraction");
    for (size_t i = c->lo + 1; i <= last && is_counter; i++) {
        if (i == last && cut_right) break; /* the interpolation went on from the sample before */
        if (i == c->lo + 1 && cut_left) continue;
        if (hist_is_reset(r->window, s->h[i], s->h[i - 1]) && !hist_add(r->a, h, s->h[i - 1], 1, &notes)) return NULL;
    }
    h->hint = RESET_GAUGE;
    hist_finish(h);
    return h;
}

static bool extended(struct range_call *c, bool is_counter, bool is_rate) {
    const struct rseries *s = c->s;
    size_t lo = c->lo;
    size_t hi = c->hi;
    bool has_value = narrow(c);
    size_t floats;
    size_t hists;
    count_window(c, &floats, &hists);
    struct hist *h = NULL;
    if (has_value && floats && hists) {
        note_named(c->r, NOTE_MIXED_FLOATS_HISTOGRAMS, arg_at(c), metric_name(s->labels));
    } else if (has_value && floats) {
        c->out = float_extended(c, is_counter) / (is_rate ? c->range_s : 1);
    } else if (has_value) {
        str name = metric_name(s->labels);
        bool gauges = s->h[c->lo]->hint == RESET_GAUGE && s->h[c->hi - 1]->hint == RESET_GAUGE;
        if (is_counter && (s->h[c->lo]->hint == RESET_GAUGE || s->h[c->hi - 1]->hint == RESET_GAUGE))
            note_named(c->r, NOTE_NOT_COUNTER, arg_at(c), name);
        if (!is_counter && !gauges) note_named(c->r, NOTE_NOT_GAUGE, arg_at(c), name);
        h = hist_extended(c, is_counter);
        if (!h) note_named(c->r, NOTE_MIXED_EXPONENTIAL_CUSTOM, arg_at(c), name);
        if (h && is_rate) hist_divide(h, c->range_s);
        c->out_h = h;
    }
    c->lo = lo; /* the driver slides these */
    c->hi = hi;
    return has_value && !(floats && hists) && (floats || h);
}

/* --- the last two samples */

static bool instant(struct range_call *c, bool is_rate) {
    const struct rseries *s = c->s;
    struct run *r = c->r;
    if (c->hi - c->lo < 2) return false;
    size_t last = c->hi - 1;
    double seconds = (double)(s->t[last] - s->t[last - 1]) / 1000;
    const struct hist *h1 = sample_hist(s, last - 1);
    const struct hist *h2 = sample_hist(s, last);
    uint32_t at = c->call->call.args_from;
    str name = metric_name(s->labels);
    bool started = is_rate && started_between(s, last);
    if (!h1 != !h2) {
        note_named(r, NOTE_MIXED_FLOATS_HISTOGRAMS, at, name);
        return false;
    }
    if (!h1) {
        bool reset = is_rate && (s->v[last] < s->v[last - 1] || started);
        c->out = reset ? s->v[last] : s->v[last] - s->v[last - 1];
        if (is_rate) c->out /= seconds;
        return true;
    }
    bool gauge1 = h1->hint == RESET_GAUGE;
    bool gauge2 = h2->hint == RESET_GAUGE;
    if (is_rate && (gauge1 || gauge2)) note_named(r, NOTE_NOT_COUNTER, at, name);
    if (!is_rate && !(gauge1 && gauge2)) note_named(r, NOTE_NOT_GAUGE, at, name);
    struct hist *h = hist_copy(r->a, h2);
    if (!is_rate || !(started || hist_is_reset(r->window, h2, h1))) {
        struct hist_notes notes = {0};
        if (!hist_add(r->a, h, h1, -1, &notes)) {
            note_named(r, NOTE_MIXED_EXPONENTIAL_CUSTOM, at, name);
            return false;
        }
        notes.collision = false;
        note_hist(r, at, &notes, "subtraction");
    }
    h->hint = RESET_GAUGE;
    hist_finish(h);
    if (is_rate) hist_divide(h, seconds);
    c->out_h = h;
    return true;
}

bool fn_irate(struct range_call *c) {
    return instant(c, true);
}
bool fn_idelta(struct range_call *c) {
    return instant(c, false);
}

/* --- counting */

static bool is_change(struct range_call *c, size_t i) {
    const struct rseries *s = c->s;
    const struct hist *h1 = sample_hist(s, i - 1);
    const struct hist *h2 = sample_hist(s, i);
    if (!h1 != !h2) return true;
    if (h1) return !hist_equal(h1, h2);
    return s->v[i] != s->v[i - 1] && !(isnan(s->v[i]) && isnan(s->v[i - 1]));
}

static bool is_reset(struct range_call *c, size_t i) {
    const struct rseries *s = c->s;
    const struct hist *h1 = sample_hist(s, i - 1);
    const struct hist *h2 = sample_hist(s, i);
    if (!h1 != !h2 || started_between(s, i)) return true;
    return h1 ? hist_is_reset(c->r->window, h2, h1) : s->v[i] < s->v[i - 1];
}

static bool count_events(struct range_call *c, bool (*happened)(struct range_call *, size_t)) {
    size_t first = c->lo;
    if (c->anchored) {
        while (first + 1 < c->hi && c->s->t[first + 1] <= c->from_ms) first++;
        if (c->s->t[c->hi - 1] <= c->from_ms) return false;
    }
    size_t n = 0;
    for (size_t i = first + 1; i < c->hi; i++) n += happened(c, i);
    c->out = (double)n;
    return true;
}

bool fn_changes(struct range_call *c) {
    return count_events(c, is_change);
}
bool fn_resets(struct range_call *c) {
    return count_events(c, is_reset);
}
