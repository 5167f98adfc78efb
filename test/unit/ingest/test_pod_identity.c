#include "ingest/pod_identity.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "wire/multiline.h"

static void is(str got, const char *want) {
    if (!str_eq_c(got, want)) fail_msg("\"%.*s\", not \"%s\"", (int)got.n, got.p ? got.p : "", want);
}
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void reads_both_forms_of_paths(void **state) {
    (void)state;
    struct pod_ref p;
    assert_true(pod_ref_from_path(STR("/var/log/pods/shop_cart-7f9c-abcde_2cd6c993-59d7/redis/3.log"), &p));
    is(p.namespace_name, "shop");
    is(p.pod_name, "cart-7f9c-abcde");
    is(p.pod_id, "2cd6c993-59d7");
    is(p.container_name, "redis");
    is(p.docker_id, "");
    assert_true(pod_ref_from_path(STR("/var/log/containers/cart-7f9c-abcde_shop_my-redis-" ID ".log"), &p));
    is(p.namespace_name, "shop");
    is(p.pod_name, "cart-7f9c-abcde");
    is(p.container_name, "my-redis");
    is(p.docker_id, ID);
    static const char *const others[] = {"/var/log/syslog",         "/var/log/pods/x/y.log",     "/var/log/pods/a_b/c/0.log",
                                         "/var/log/pods/a_b_c.log", "/var/log/containers/a.log", "/var/log/containers/a_b_c-0123.log"};
    for (size_t i = 0; i < ARRAY_N(others); i++)
        if (pod_ref_from_path(str_c(others[i]), &p)) fail_msg("%s", others[i]);
}

static struct field text(const char *key, const char *value) {
    return (struct field){str_c(key), value_str(str_c(value))};
}

static void names_what_is_known(void **state) {
    (void)state;
    const struct pod_ref p = {STR("shop"), STR("cart-1"), STR("main"), STR("uid"), STR("")};
    struct field labels[] = {text("app", "cart"), text("app.kubernetes.io/name", "basket")}, out[POD_ATTRS_MAX];
    const struct pod_info info = {.labels = labels, .label_n = 2, .node = STR("node-1"), .image = STR("cart:1")};
    is(pod_service(&p, NULL), "main");
    is(pod_service(&p, &info), "basket");
    assert_int_equal(pod_attrs(&p, NULL, out), 4);
    size_t n = pod_attrs(&p, &info, out);
    assert_int_equal(n, 7);
    is(fields_get(out, n, STR("kubernetes.host"))->s, "node-1");
    is(fields_get(fields_get(out, n, STR("kubernetes.labels"))->fields, 2, STR("app"))->s, "cart");
}

static void annotations_choose_and_exclude(void **state) {
    (void)state;
    struct field notes[] = {text("fluentbit.io/parser", "java"),
                            text("fluentbit.io/parser_stderr", "none"),
                            text("fluentbit.io/parser-web", "python"),
                            text("fluentbit.io/parser_stderr-web", "nginx"),
                            text("fluentbit.io/exclude_stdout-noisy", "True"),
                            text("binnacle.io/exclude-quiet", "true")};
    const struct pod_info info = {.annotations = notes, .annotation_n = ARRAY_N(notes)};
    static const struct {
        const char *container, *stream;
        unsigned multiline;
        bool exclude;
    } rows[] = {{"main", "stdout", MULTILINE_JAVA, false},  {"main", "stderr", 0, false},
                {"web", "stdout", MULTILINE_PYTHON, false}, {"web", "stderr", MULTILINE_ALL, false},
                {"noisy", "stdout", MULTILINE_JAVA, true},  {"noisy", "stderr", 0, false},
                {"quiet", "stdout", MULTILINE_JAVA, true},  {"quiet", "stderr", 0, true}};
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct pod_wishes w = pod_wishes(&info, str_c(rows[i].container), str_c(rows[i].stream));
        if (w.multiline != rows[i].multiline || w.exclude != rows[i].exclude) fail_msg("%s %s", rows[i].container, rows[i].stream);
    }
    const struct pod_info nothing = {0};
    assert_int_equal(pod_wishes(&nothing, STR("c"), STR("stdout")).multiline, MULTILINE_ALL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_forms_of_paths),
        cmocka_unit_test(names_what_is_known),
        cmocka_unit_test(annotations_choose_and_exclude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
