#include "wire/multiline.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Lines as they come; "|" before a line: it begins an event, " " before it: it continues one. */
static void expect(unsigned rules, const char *text) {
    struct multiline m = {.rules = rules};
    str rest = str_c(text), line;
    for (bool more = true; more && rest.n;) {
        more = str_cut(&rest, '\n', &line);
        bool continues = multiline_continues(&m, str_from(line, 1));
        if (continues != (line.p[0] == ' ')) fail_msg("\"%.*s\" %s", (int)line.n - 1, line.p + 1, continues ? "continues" : "begins");
    }
}

static void joins_java(void **state) {
    (void)state;
    expect(MULTILINE_ALL,
           "|2026-11-22 12:00:00 ERROR [main] Shop - order failed\n"
           " java.lang.IllegalStateException: no stock\n"
           " \tat com.example.Shop.order(Shop.java:12)\n"
           " \tat java.base/java.lang.Thread.run(Thread.java:840)\n"
           " \tSuppressed: java.io.IOException: closed\n"
           " \t\tat com.example.Shop.close(Shop.java:30)\n"
           " Caused by: java.sql.SQLException: gone\n"
           " \t... 17 common frames omitted\n"
           "|2026-11-22 12:00:01 INFO  [main] Shop - next\n"
           "|2026-11-22 12:00:02 INFO  [main] Shop - at home\n"
           "|Exception in thread \"main\" java.lang.RuntimeException: x\n"
           " \tat com.example.Main.main(Main.java:3)\n"
           " \t... 2 more\n"
           "|done\n");
}

static void joins_javascript_and_dotnet(void **state) {
    (void)state;
    expect(MULTILINE_ALL,
           "|TypeError: Cannot read properties of undefined (reading 'x')\n"
           "     at Object.<anonymous> (/app/index.js:3:9)\n"
           "     at node:internal/main/run_main_module:28:49\n"
           "|Unhandled exception. System.InvalidOperationException: x\n"
           "  ---> System.Exception: inner\n");
}

static void joins_python_and_its_chains(void **state) {
    (void)state;
    expect(MULTILINE_ALL,
           "|ERROR:root:order failed\n"
           "|Traceback (most recent call last):\n"
           "   File \"/app/shop.py\", line 7, in order\n"
           "     stock[item]\n"
           "     ~~~~~^^^^^^\n"
           " KeyError: 'pear'\n"
           " \n"
           " During handling of the above exception, another exception occurred:\n"
           " \n"
           " Traceback (most recent call last):\n"
           "   File \"/app/shop.py\", line 9, in order\n"
           " shop.errors.OutOfStock: pear\n"
           "|INFO:root:next\n"
           "|127.0.0.1 - - [22/Nov/2026 12:00:00] \"GET / HTTP/1.1\" 500 -\n");
}

static void joins_go(void **state) {
    (void)state;
    expect(MULTILINE_ALL,
           "|2026/11/22 12:00:00 starting\n"
           "|panic: runtime error: index out of range [3] with length 3\n"
           " \n"
           " goroutine 1 [running]:\n"
           " main.(*shop).order(0xc000012345, 0x3)\n"
           " \t/app/main.go:12 +0x1d\n"
           " main.main()\n"
           " \t/app/main.go:7 +0x2a\n"
           " created by main.start in goroutine 1\n"
           " \t/app/main.go:3 +0x1\n"
           " exit status 2\n"
           "|2026/11/22 12:00:01 starting\n"
           "|2026/11/22 12:00:02 http: panic serving 127.0.0.1:1234: boom\n"
           " goroutine 7 [running]:\n"
           " net/http.(*conn).serve.func1()\n"
           " \t/usr/lib/go/src/net/http/server.go:1850 +0xbf\n"
           "|2026/11/22 12:00:03 next\n");
}

static void joins_ruby(void **state) {
    (void)state;
    expect(MULTILINE_ALL,
           "|shop.rb:3:in `order': no stock (RuntimeError)\n"
           " \tfrom shop.rb:7:in `each'\n"
           " \tfrom shop.rb:9:in `<main>'\n"
           "|next\n");
}

static void leaves_other_lines_alone(void **state) {
    (void)state;
    expect(MULTILINE_ALL, "|  indented\n|at the beginning\n|{\"a\":1}\n|...\n|goroutine pool has 3 workers\n|Error: 3\n|Error: 4\n|\n|x\n");
    expect(MULTILINE_PYTHON, "|java.lang.Error: x\n|\tat a.b(c.java:1)\n");
    expect(0, "|Traceback (most recent call last):\n|  File \"x\"\n");
    expect(MULTILINE_ALL, "|\tat the start of a file\n");
}

static void knows_what_is_worth_a_wait(void **state) {
    (void)state;
    struct multiline m = {.rules = MULTILINE_ALL};
    multiline_continues(&m, STR("INFO hello"));
    assert_false(multiline_expects_more(&m, STR("INFO hello")));
    assert_true(multiline_expects_more(&m, STR("java.lang.RuntimeException: x")));
    multiline_continues(&m, STR("panic: x"));
    assert_true(multiline_expects_more(&m, STR("panic: x")));
    m.rules = 0;
    assert_false(multiline_expects_more(&m, STR("java.lang.RuntimeException: x")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_java),
        cmocka_unit_test(joins_javascript_and_dotnet),
        cmocka_unit_test(joins_python_and_its_chains),
        cmocka_unit_test(joins_go),
        cmocka_unit_test(joins_ruby),
        cmocka_unit_test(leaves_other_lines_alone),
        cmocka_unit_test(knows_what_is_worth_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
