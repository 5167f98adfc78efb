#include "net/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void binds_to_every_spelling_of_an_address(void **state) {
    (void)state;
    static const struct {
        const char *address, *local;
    } cases[] = {
        {"127.0.0.1:0", "127.0.0.1:"}, {"localhost:0", "127.0.0.1:"}, {"0.0.0.0:0", "0.0.0.0:"}, {":0", NULL}, {"[::1]:0", "[::1]:"},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        int fd;
        struct err e = {0};
        char text[NET_ADDRESS_MAX];
        if (!net_bind(str_c(cases[i].address), SOCK_STREAM, &fd, &e)) {
            assert_int_equal(cases[i].address[0], '['); /* a machine without IPv6 */
            continue;
        }
        str local = net_local_address(fd, text);
        if (cases[i].local) assert_true(str_starts(local, str_c(cases[i].local)));
        assert_false(str_ends(local, STR(":0")));
        close(fd);
    }
}

static void refuses_what_is_no_address(void **state) {
    (void)state;
    static const char *const bad[] = {"", "localhost", "9090", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:http", "::1:9090", "[::1]", "a:-1"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        int fd = -7;
        struct err e;
        assert_false(net_bind(str_c(bad[i]), SOCK_STREAM, &fd, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_int_equal(fd, -7);
    }
}

static void says_which_address_is_not_ours(void **state) {
    (void)state;
    int fd;
    struct err e;
    assert_false(net_bind(STR("203.0.113.7:0"), SOCK_STREAM, &fd, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.msg, "203.0.113.7:0"));
}

static void names_the_owner_of_a_taken_port(void **state) {
    (void)state;
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < ARRAY_N(types); i++) {
        int fd, second;
        struct err e;
        char text[NET_ADDRESS_MAX];
        char want[128];
        assert_true(net_bind(STR("127.0.0.1:0"), types[i], &fd, &e));
        str address = net_local_address(fd, text);
        assert_false(net_bind(address, types[i], &second, &e));
        snprintf(want, sizeof want, "%" STR_F " is in use by unit_net_listen (pid %d)", STR_A(address), getpid());
        assert_string_equal(e.msg, want);
        close(fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_to_every_spelling_of_an_address),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(says_which_address_is_not_ours),
        cmocka_unit_test(names_the_owner_of_a_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
