/* cmd/check: `binnacle check WHAT ...`: one row per thing that can be checked. */
#include <stdio.h>
#include <string.h>

#include "base/defs.h"
#include "cmd/cmd.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} checks[] = {
    {"metrics", cmd_check_metrics, "[--scrape-openmetrics | --openmetrics] [FILE]: a metrics page"},
    {"config", cmd_check_config, "FILE: the settings of binnacle serve"},
};

int cmd_check(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < ARRAY_N(checks); i++)
        if (strcmp(argv[1], checks[i].name) == 0) return checks[i].run(argc - 1, argv + 1);
    bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
    FILE *out = asked ? stdout : stderr;
    for (size_t i = 0; i < ARRAY_N(checks); i++) fprintf(out, "usage: binnacle check %s %s\n", checks[i].name, checks[i].help);
    return asked ? 0 : 2;
}
