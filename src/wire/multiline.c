#include "wire/multiline.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' || c == '$';
}
static bool starts_with_any(str s, const str *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_starts(s, list[i])) return true;
    return false;
}
#define STARTS(s, list) starts_with_any((s), (list), ARRAY_N(list))

static str without_indent(str line) {
    size_t n = 0;
    while (n < line.n && is_blank(line.p[n])) n++;
    return str_from(line, n);
}

/* --- java */

/* "... 17 more", "... 3 common frames omitted" */
static bool is_elision(str s) {
    if (!str_starts(s, STR("... "))) return false;
    size_t n = 4;
    while (n < s.n && is_digit(s.p[n])) n++;
    str rest = str_from(s, n);
    return n > 4 && (str_starts(rest, STR(" more")) || str_starts(rest, STR(" common frames omitted")));
}

/* "java.lang.IllegalStateException: text": a class name with its package and no more before the colon. */
static bool is_exception_line(str line) {
    static const str ends[] = {STR_INIT("Exception"), STR_INIT("Error"), STR_INIT("Throwable")};
    size_t n = 0;
    while (n < line.n && is_name(line.p[n])) n++;
    if ((n < line.n && line.p[n] != ':') || str_find_char(str_sub(line, 0, n), '.') == STR_NONE) return false;
    for (size_t i = 0; i < ARRAY_N(ends); i++)
        if (str_ends(str_sub(line, 0, n), ends[i])) return true;
    return false;
}

static bool continues_java(const struct multiline *m, str line) {
    static const str causes[] = {STR_INIT("Caused by: "),
                                 STR_INIT("Suppressed: "),
                                 STR_INIT("nested exception is:"),
                                 STR_INIT("---> "),
                                 STR_INIT("--- End of inner exception"),
                                 STR_INIT("--- End of stack trace")};
    static const str frames[] = {STR_INIT("at "), STR_INIT("eval at ")};
    str s = without_indent(line);
    if (s.n < line.n && STARTS(s, frames)) return true;
    if (STARTS(s, causes) || is_elision(s)) return true;
    return m->state == MULTILINE_LINE && is_exception_line(line);
}

/* --- python */

static bool begins_traceback(str line) {
    return str_ends(line, STR("Traceback (most recent call last):"));
}

static bool continues_python(struct multiline *m, str line) {
    static const str links[] = {STR_INIT("During handling of the above exception"), STR_INIT("The above exception was the direct cause")};
    if (m->state == MULTILINE_TRACEBACK) {
        if (line.n == 0 || is_blank(line.p[0])) return true;
        size_t n = 0;
        while (n < line.n && is_name(line.p[n])) n++;
        if (n == 0 || (n < line.n && line.p[n] != ':')) return false;
        m->state = MULTILINE_CHAIN; /* the exception's own line; another may hang on it */
        return true;
    }
    if (m->state != MULTILINE_CHAIN) return false;
    if (begins_traceback(line)) return m->state = MULTILINE_TRACEBACK, true;
    return line.n == 0 || STARTS(line, links);
}

/* --- go */

static bool begins_dump(str line) {
    static const str heads[] = {STR_INIT("panic: "), STR_INIT("fatal error: "), STR_INIT("SIGQUIT: quit"), STR_INIT("goroutine ")};
    if (str_find(line, STR("http: panic serving ")) != STR_NONE) return true;
    if (!STARTS(line, heads)) return false;
    return !str_starts(line, STR("goroutine ")) || str_ends(line, STR("]:"));
}

/* "main.(*T).run(0x1, ...)", "panic(...)": a call of one word. */
static bool is_call(str line) {
    size_t open = str_find_char(line, '(');
    if (open == STR_NONE || open == 0 || line.p[line.n - 1] != ')') return false;
    return str_find_char(str_sub(line, 0, open), ' ') == STR_NONE;
}

static bool continues_go(struct multiline *m, str line) {
    static const str parts[] = {STR_INIT("goroutine "),
                                STR_INIT("created by "),
                                STR_INIT("[signal "),
                                STR_INIT("\t"),
                                STR_INIT("panic: "),
                                STR_INIT("runtime stack:"),
                                STR_INIT("...additional frames elided"),
                                STR_INIT("exit status ")};
    if (m->state != MULTILINE_DUMP) return false;
    if (str_starts(line, STR("exit status "))) m->state = MULTILINE_LINE;
    return line.n == 0 || STARTS(line, parts) || is_call(line);
}

/* --- ruby: "\tfrom app.rb:7:in `run'" */
static bool continues_ruby(str line) {
    str s = without_indent(line);
    return s.n < line.n && str_starts(s, STR("from ")) && str_find(s, STR(":in ")) != STR_NONE;
}

bool multiline_continues(struct multiline *m, str line) {
    if (m->state != MULTILINE_NOTHING) {
        if ((m->rules & MULTILINE_GO) && continues_go(m, line)) return true;
        if ((m->rules & MULTILINE_PYTHON) && continues_python(m, line)) return true;
        if ((m->rules & MULTILINE_RUBY) && continues_ruby(line)) return true;
        if ((m->rules & MULTILINE_JAVA) && continues_java(m, line)) return true;
    }
    m->state = MULTILINE_LINE;
    if ((m->rules & MULTILINE_PYTHON) && begins_traceback(line)) m->state = MULTILINE_TRACEBACK;
    if ((m->rules & MULTILINE_GO) && begins_dump(line)) m->state = MULTILINE_DUMP;
    return false;
}

bool multiline_expects_more(const struct multiline *m, str first_line) {
    static const str words[] = {STR_INIT("xception"), STR_INIT("Error"), STR_INIT("Throwable"), STR_INIT(":in ")};
    if (m->rules == 0 || m->state == MULTILINE_NOTHING) return false;
    if (m->state != MULTILINE_LINE) return true;
    for (size_t i = 0; i < ARRAY_N(words); i++)
        if (str_find(first_line, words[i]) != STR_NONE) return true;
    return false;
}
