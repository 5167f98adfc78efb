/* cmd/check_metrics: `binnacle check metrics [--scrape-openmetrics | --openmetrics] [FILE]`: would a scrape accept this page, as the text format
 * or as OpenMetrics? --openmetrics: does it keep all rules of OpenMetrics 1.0? Without FILE the page is read from standard input. The reason goes to
 * standard error; exit codes by error class. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "wire/openmetrics_check.h"
#include "wire/prom_text.h"

enum { PAGE_BYTES_MAX = 1 << 30, EXIT_USAGE = 2 };

static bool read_page(FILE *in, const char *name, struct buf *page, struct err *e) {
    char part[64 << 10];
    for (size_t n; (n = fread(part, 1, sizeof part, in)) > 0;) {
        if (page->n + n > PAGE_BYTES_MAX) return err_set(e, ERR_LIMIT, "%s: larger than 1 GiB", name);
        buf_put(page, part, n);
    }
    return !ferror(in) || err_errno(e, ERR_IO, errno, "%s", name);
}

/* What a scrape finds out only when it meets a series for the first time: repeated labels. */
static bool check_page(str text, bool openmetrics, struct err *e) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(text.n * 2 + 1024);
    const struct prom_text_options o = {.honor_timestamps = true, .openmetrics = openmetrics};
    if (!prom_text_parse(arena_str(b->arena, text), &o, b, e)) return false;
    AUTO(arena_free) struct arena *scratch = arena_new(4096);
    for (size_t i = 0; i < b->row_n; i++, arena_reset(scratch)) {
        struct labels ls;
        if (!b->row_labels(b, i, scratch, &ls, e))
            return err_wrap(e, "%.*s", (int)(b->rows[i].key.n > 100 ? 100 : b->rows[i].key.n), b->rows[i].key.p);
    }
    return true;
}

static bool check_text(str text, struct err *e) {
    return check_page(text, false, e);
}
static bool check_scraped_openmetrics(str text, struct err *e) {
    return check_page(text, true, e);
}

static const struct {
    const char *option;
    bool (*check)(str text, struct err *e);
} checks[] = {{"", check_text}, {"--scrape-openmetrics", check_scraped_openmetrics}, {"--openmetrics", openmetrics_check}};

int cmd_check_metrics(int argc, char **argv) {
    size_t which = 0;
    for (size_t i = 1; argc > 1 && i < ARRAY_N(checks); i++)
        if (strcmp(argv[1], checks[i].option) == 0) which = i;
    int files = argc - 1 - (which != 0);
    const char *name = files == 1 ? argv[argc - 1] : "-";
    if (files > 1 || (files == 1 && name[0] == '-' && name[1])) {
        fprintf(stderr, "usage: binnacle check metrics [--scrape-openmetrics | --openmetrics] [FILE]\n");
        return EXIT_USAGE;
    }
    AUTO(buf_done) struct buf page = {0};
    struct err e = {0};
    bool from_stdin = strcmp(name, "-") == 0;
    FILE *in = from_stdin ? stdin : fopen(name, "rb");
    bool ok = in ? read_page(in, name, &page, &e) : err_errno(&e, ERR_IO, errno, "%s", name);
    if (in && !from_stdin) fclose(in);
    if (!ok) {
        fprintf(stderr, "%s\n", e.msg);
        return err_exit_code(e.code);
    }
    if (checks[which].check(buf_str(&page), &e)) return 0;
    fprintf(stderr, "%s: %s\n", from_stdin ? "standard input" : name, e.msg);
    return err_exit_code(e.code);
}
