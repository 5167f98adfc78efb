/* cmd/main: picks the subcommand. Exit codes: 0 fine, else by error class (base/err.h; doc/operations.md lists them). */
#include <stdio.h>
#include <string.h>

#include "base/defs.h"
#include "base/hash.h"
#include "cmd/cmd.h"

static int cmd_version(int argc, char **argv) {
    (void)argc, (void)argv;
    puts("binnacle " BN_VERSION);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", cmd_serve, "everything in one process: collect, keep, answer, show (serve --help lists the settings)"},
    {"query", cmd_query, "metrics | logs | traces from the terminal, asked of a running server"},
    {"check", cmd_check, "config, metrics pages"},
    {"promqltest", cmd_promqltest, "run PromQL test scripts on an in-memory store"},
    {"version", cmd_version, "print the version"},
};

static int usage(FILE *out) {
    fputs("binnacle: metrics, logs and traces for a developer on Kubernetes, in one small process\n\nusage: binnacle COMMAND ...\n\n", out);
    for (size_t i = 0; i < ARRAY_N(commands); i++) fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].help);
    fputs("\nbinnacle COMMAND --help tells more.\n", out);
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv) {
    hash_init();
    if (argc < 2) return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) return usage(stdout);
    if (strcmp(argv[1], "--version") == 0) return cmd_version(0, NULL);
    for (size_t i = 0; i < ARRAY_N(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "binnacle: no command \"%s\"\n", argv[1]);
    return usage(stderr);
}
