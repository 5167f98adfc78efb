#include "cmd/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static struct options options;
static struct err err;

static int new_arena(void **state) {
    (void)state;
    arena = arena_new(4096);
    return 0;
}
static int free_arena(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

#define READ(...) read_args((const char *[]){"serve", __VA_ARGS__, NULL})
static bool read_args(const char **argv) {
    int argc = 0;
    enum options_action action;
    while (argv[argc]) argc++;
    return options_read(argc, (char **)argv, arena, &options, &action, &err);
}

static char *yaml_file(const char *text) {
    static char path[] = "/tmp/binnacle-options-XXXXXX";
    strcpy(path, "/tmp/binnacle-options-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void assert_message_ends(const char *wanted) {
    if (!str_ends(err_str(&err), str_c(wanted))) fail_msg("message \"%s\" does not end in \"%s\"", err.msg, wanted);
}

static void defaults_are_loopback_and_15_seconds(void **state) {
    (void)state;
    assert_true(READ("--doors"));
    assert_true(str_eq(options.listen, STR("127.0.0.1:9090")));
    assert_int_equal(options.scrape_interval_ms, 15000);
    assert_true(options.host && options.tail && options.wal_sync);
}

static void command_line_wins_over_environment_over_file(void **state) {
    (void)state;
    char *path = yaml_file("listen: 127.0.0.1:1\ndata: from-file\ndoor:\n  elastic: off\nwal.window: 2ms\n");
    setenv("BINNACLE_DATA", "from-env", 1);
    setenv("BINNACLE_WAL_WINDOW", "7ms", 1);
    bool ok = READ("--config", path, "--wal.window", "9ms");
    unsetenv("BINNACLE_DATA");
    unsetenv("BINNACLE_WAL_WINDOW");
    unlink(path);
    assert_true(ok);
    assert_true(str_eq(options.listen, STR("127.0.0.1:1")));
    assert_true(str_eq(options.data, STR("from-env")));
    assert_true(door_is_off(options.door_elastic));
    assert_int_equal(options.wal_window_ms, 9);
}

static void lists_replace_lower_sources_and_grow_when_repeated(void **state) {
    (void)state;
    assert_true(READ("--tail.files", "/a,/b", "--tail.files", "/c"));
    assert_int_equal(options.tail_files.n, 3);
    assert_true(str_eq(options.tail_files.p[2], STR("/c")));
}

static void sizes_take_units(void **state) {
    (void)state;
    assert_true(READ("--http.body-bytes", "3MiB"));
    assert_int_equal(options.http_body_bytes, 3 << 20);
    assert_false(READ("--http.body-bytes", "3 apples"));
    assert_string_equal(err.msg, "--http.body-bytes: not a size: \"3 apples\" (a number and B, KiB, MiB, GiB or TiB)");
    assert_false(READ("--http.body-bytes", "99999999999999TiB"));
}

static void an_unknown_flag_names_the_nearest(void **state) {
    (void)state;
    assert_false(READ("--lisen", "x"));
    assert_string_equal(err.msg, "unknown setting \"lisen\"; did you mean \"listen\"?");
}

static void an_unknown_key_is_refused_with_line_and_column(void **state) {
    (void)state;
    char *path = yaml_file("data: x\ndoor:\n  elastik: off\n");
    bool ok = READ("--config", path);
    unlink(path);
    assert_false(ok);
    assert_message_ends(":3:3: unknown key \"door.elastik\"; did you mean \"door.elastic\"?");
}

static void a_wrong_value_is_refused_with_its_place(void **state) {
    (void)state;
    char *path = yaml_file("doors: perhaps\n");
    bool ok = READ("--config", path);
    unlink(path);
    assert_false(ok);
    assert_message_ends(":1:1: not a switch: \"perhaps\" (on or off)");
}

static void a_missing_file_is_named(void **state) {
    (void)state;
    assert_false(READ("--config", "/no/such/file.yml"));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(str_find(err_str(&err), STR("/no/such/file.yml")) != STR_NONE);
}

static void scrape_configs_read_as_in_prometheus(void **state) {
    (void)state;
    char *path = yaml_file(
        "scrape_configs:\n  - job_name: app\n    metrics_path: /m\n    scrape_interval: 5s\n    honor_labels: true\n"
        "    static_configs:\n      - targets: ['h:1', 'h:2']\n        labels: {env: test}\n");
    bool ok = READ("--config", path);
    unlink(path);
    assert_true(ok);
    assert_int_equal(options.scrape_config_n, 1);
    const struct scrape_config *c = &options.scrape_configs[0];
    assert_true(str_eq(c->job_name, STR("app")) && str_eq(c->metrics_path, STR("/m")) && c->honor_labels);
    assert_int_equal(c->interval_ms, 5000);
    assert_int_equal(c->targets.n, 2);
    assert_true(str_eq(yaml_get(c->labels, STR("env"))->scalar, STR("test")));
}

static void an_unknown_scrape_key_is_refused(void **state) {
    (void)state;
    char *path = yaml_file("scrape_configs:\n  - job_name: app\n    metric_path: /m\n");
    bool ok = READ("--config", path);
    unlink(path);
    assert_false(ok);
    assert_message_ends(":3:5: field metric_path not found in scrape_configs");
}

static void printed_settings_read_back(void **state) {
    (void)state;
    assert_true(READ("--data", "a \"quoted\": name", "--retention.logs", "36h", "--tail.files", "/x,/y"));
    struct buf yaml = {0};
    options_put_yaml(&options, &yaml);
    buf_char(&yaml, 0);
    char *path = yaml_file(yaml.p);
    bool ok = READ("--config", path);
    unlink(path);
    buf_done(&yaml);
    assert_true(ok);
    assert_true(str_eq(options.data, STR("a \"quoted\": name")));
    assert_int_equal(options.retention_logs_ms, 36 * 3600 * 1000);
    assert_int_equal(options.tail_files.n, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_loopback_and_15_seconds),
        cmocka_unit_test(command_line_wins_over_environment_over_file),
        cmocka_unit_test(lists_replace_lower_sources_and_grow_when_repeated),
        cmocka_unit_test(sizes_take_units),
        cmocka_unit_test(an_unknown_flag_names_the_nearest),
        cmocka_unit_test(an_unknown_key_is_refused_with_line_and_column),
        cmocka_unit_test(a_wrong_value_is_refused_with_its_place),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(scrape_configs_read_as_in_prometheus),
        cmocka_unit_test(an_unknown_scrape_key_is_refused),
        cmocka_unit_test(printed_settings_read_back),
    };
    return cmocka_run_group_tests(tests, new_arena, free_arena);
}
