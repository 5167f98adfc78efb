#include "net/http_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void handle(void *app, struct http_exchange *x) {
    (void)app;
    (void)x;
}
enum { OTHER_DOOR = 2 };
static const struct http_route first[] = {
    {HTTP_GET, "/", handle},
    {HTTP_GET, "/a/b", handle},
    {HTTP_GET, "/a/:x", handle},
    {HTTP_POST, "/a/:x", handle},
    {HTTP_GET, "/:one/:two/c", handle},
    {HTTP_GET, "/files/*", handle},
    {0},
};
static const struct http_route second[] = {
    {HTTP_GET, "/door", handle, OTHER_DOOR},
    {HTTP_GET, "/*", handle, OTHER_DOOR},
    {0},
};
static const struct http_route *const tables[] = {first, second};

static struct http_router *router;
static struct arena *a;

static int start(void **state) {
    (void)state;
    router = http_router_new(tables, ARRAY_N(tables));
    a = arena_new(1024);
    return 0;
}
static int stop(void **state) {
    (void)state;
    http_router_free(router);
    arena_free(a);
    return 0;
}

static struct http_match find(enum http_method method, unsigned door, const char *raw) {
    struct http_target t;
    struct err e;
    assert_true(http_parse_target(a, str_c(raw), &t, &e));
    return http_router_find(router, method, door, &t);
}

static void the_first_match_wins(void **state) {
    (void)state;
    assert_ptr_equal(find(HTTP_GET, 1, "/").route, &first[0]);
    assert_ptr_equal(find(HTTP_GET, 1, "/a/b").route, &first[1]);
    assert_ptr_equal(find(HTTP_GET, 1, "/a/c").route, &first[2]);
    assert_ptr_equal(find(HTTP_POST, 1, "/a/b").route, &first[3]); /* the earlier one takes no POST */
}

static void captures_in_order(void **state) {
    (void)state;
    struct http_match m = find(HTTP_GET, 1, "/x%20y/%2F/c");
    assert_ptr_equal(m.route, &first[4]);
    assert_true(str_eq_c(m.captures[0], "x y"));
    assert_true(str_eq_c(m.captures[1], "/"));
    assert_null(m.captures[2].p);
}

static void a_name_needs_a_segment_but_the_rest_may_be_empty(void **state) {
    (void)state;
    assert_null(find(HTTP_GET, 1, "//x/c").route);
    struct http_match m = find(HTTP_GET, 1, "/files/");
    assert_ptr_equal(m.route, &first[5]);
    assert_int_equal(m.captures[0].n, 0);
    assert_true(str_eq_c(find(HTTP_GET, 1, "/files/a%2Fb/c/").captures[0], "a/b/c/"));
    assert_null(find(HTTP_GET, 1, "/files").route);
}

static void head_is_answered_where_get_is(void **state) {
    (void)state;
    assert_ptr_equal(find(HTTP_HEAD, 1, "/a/b").route, &first[1]);
}

static void tells_what_the_path_would_take(void **state) {
    (void)state;
    struct http_match m = find(HTTP_DELETE, 1, "/a/b");
    assert_null(m.route);
    assert_int_equal(m.allow, HTTP_GET | HTTP_HEAD | HTTP_POST);
    assert_true(str_eq_c(http_methods_format(a, m.allow), "GET, HEAD, POST"));
    assert_int_equal(find(HTTP_GET, 1, "/nowhere").allow, 0);
    assert_int_equal(find((enum http_method)0, 1, "/a/b").allow, HTTP_GET | HTTP_HEAD | HTTP_POST);
}

static void routes_of_other_doors_do_not_exist(void **state) {
    (void)state;
    assert_null(find(HTTP_GET, 1, "/door").route);
    assert_ptr_equal(find(HTTP_GET, OTHER_DOOR, "/door").route, &second[0]);
    assert_ptr_equal(find(HTTP_GET, OTHER_DOOR, "/any/thing").route, &second[1]);
}

static void forgives_one_trailing_slash(void **state) {
    (void)state;
    assert_ptr_equal(find(HTTP_GET, 1, "/a/b/").route, &first[1]);
    assert_null(find(HTTP_GET, 1, "/a/b//").route);
}

static void asterisk_matches_nothing(void **state) {
    (void)state;
    assert_null(find(HTTP_OPTIONS, OTHER_DOOR, "*").route);
}

static void reads_methods_in_upper_case_only(void **state) {
    (void)state;
    assert_int_equal(http_method_parse(STR("DELETE")), HTTP_DELETE);
    assert_int_equal(http_method_parse(STR("get")), 0);
    assert_int_equal(http_method_parse(STR("")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_match_wins, start, stop),
        cmocka_unit_test_setup_teardown(captures_in_order, start, stop),
        cmocka_unit_test_setup_teardown(a_name_needs_a_segment_but_the_rest_may_be_empty, start, stop),
        cmocka_unit_test_setup_teardown(head_is_answered_where_get_is, start, stop),
        cmocka_unit_test_setup_teardown(tells_what_the_path_would_take, start, stop),
        cmocka_unit_test_setup_teardown(routes_of_other_doors_do_not_exist, start, stop),
        cmocka_unit_test_setup_teardown(forgives_one_trailing_slash, start, stop),
        cmocka_unit_test_setup_teardown(asterisk_matches_nothing, start, stop),
        cmocka_unit_test_setup_teardown(reads_methods_in_upper_case_only, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
