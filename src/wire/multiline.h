/* wire/multiline: which lines of program output belong to the event begun before: stack traces of Java (also Kotlin, Scala, JavaScript, C#), Python,
 * Go and Ruby. Pure; one state per source (a pod's container and stream; never shared). Source: what the runtimes print; the cases of Fluent Bit's
 * built-in multiline parsers java, python, go and ruby.
 *
 *   java    indented "at ", "... 7 more", "Caused by:", "Suppressed:", "--- End of ..."; an exception's own line behind a log line without it
 *   python  "Traceback (most recent call last):" up to the line of the exception, and on over "During handling of the above exception"
 *   go      "panic:", "fatal error:", "goroutine 1 [running]:" with everything a dump consists of
 *   ruby    indented "from file:line:in" */
#pragma once
#include "base/str.h"

enum multiline_rules { MULTILINE_JAVA = 1, MULTILINE_PYTHON = 2, MULTILINE_GO = 4, MULTILINE_RUBY = 8, MULTILINE_ALL = 15 };

struct multiline {
    unsigned rules;
    enum { MULTILINE_NOTHING, MULTILINE_LINE, MULTILINE_TRACEBACK, MULTILINE_CHAIN, MULTILINE_DUMP } state;
};
/* `struct multiline m = {.rules = MULTILINE_ALL};` Takes the next line (without its end). true: it continues the event; false: it begins one. */
bool multiline_continues(struct multiline *m, str line);
/* The event begun may well go on, so that it is worth a wait: a trace is open, or the line speaks of an exception. */
bool multiline_expects_more(const struct multiline *m, str first_line);
