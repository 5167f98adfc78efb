/* cmd/check_config: `binnacle check config FILE`: reads the settings as `serve --config FILE` would, and starts nothing. Exit code 2: the first
 * error, with file, line and column; 3: the file cannot be read. Variables BINNACLE_* of the environment count too, as they would for serve. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"

int cmd_check_config(int argc, char **argv) {
    if (argc != 2 || argv[1][0] == '-') {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(asked ? stdout : stderr, "usage: binnacle check config FILE\n");
        return asked ? 0 : 2;
    }
    char flag[] = "--config";
    char *serve[] = {argv[0], flag, argv[1], NULL};
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct options o;
    enum options_action action;
    struct err e;
    if (!options_read(3, serve, a, &o, &action, &e)) {
        fprintf(stderr, "binnacle: %s\n", e.msg);
        return e.code == ERR_INPUT ? 2 : err_exit_code(e.code);
    }
    printf("%s: ok\n", argv[1]);
    return 0;
}
