#include "wire/severity.h"

enum { TRACE = 1, DEBUG = 5, INFO = 9, WARN = 13, ERROR = 17, FATAL = 21 };

static const struct {
    str name;
    uint8_t number;
} names[] = {
    {STR_INIT("info"), INFO},
    {STR_INIT("debug"), DEBUG},
    {STR_INIT("error"), ERROR},
    {STR_INIT("warn"), WARN},
    {STR_INIT("warning"), WARN},
    {STR_INIT("trace"), TRACE},
    {STR_INIT("fatal"), FATAL},
    {STR_INIT("notice"), INFO + 1},
    {STR_INIT("critical"), FATAL},
    {STR_INIT("crit"), FATAL},
    {STR_INIT("err"), ERROR},
    {STR_INIT("alert"), FATAL + 1},
    {STR_INIT("emerg"), FATAL + 3},
    {STR_INIT("panic"), FATAL + 3},
    {STR_INIT("severe"), ERROR},
    {STR_INIT("information"), INFO},
    {STR_INIT("verbose"), TRACE},
    {STR_INIT("finest"), TRACE},
    {STR_INIT("fine"), DEBUG},
    {STR_INIT("log"), INFO},
    {STR_INIT("informational"), INFO},
    {STR_INIT("emergency"), FATAL + 3},
    {STR_INIT("dpanic"), ERROR + 3},
    {STR_INIT("dbg"), DEBUG},
    {STR_INIT("i"), INFO},
    {STR_INIT("w"), WARN},
    {STR_INIT("e"), ERROR},
    {STR_INIT("f"), FATAL},
    {STR_INIT("d"), DEBUG},
    {STR_INIT("t"), TRACE},
};

static const char *const texts[] = {"",       "TRACE",  "TRACE2", "TRACE3", "TRACE4", "DEBUG",  "DEBUG2", "DEBUG3", "DEBUG4",
                                    "INFO",   "INFO2",  "INFO3",  "INFO4",  "WARN",   "WARN2",  "WARN3",  "WARN4",  "ERROR",
                                    "ERROR2", "ERROR3", "ERROR4", "FATAL",  "FATAL2", "FATAL3", "FATAL4"};

const char *severity_text(uint8_t number) {
    return number < ARRAY_N(texts) ? texts[number] : "";
}

uint8_t severity_from_text(str level) {
    if (level.n == 0 || level.n > 13) return 0;
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (str_eq_nocase(level, names[i].name)) return names[i].number;
    for (uint8_t i = 1; i < ARRAY_N(texts); i++) /* "WARN2", as OTLP's own severity_text */
        if (str_eq_nocase(level, str_c(texts[i]))) return i;
    return 0;
}

uint8_t severity_from_value(const struct value *level) {
    if (level->type == VAL_STRING) return severity_from_text(level->s);
    if (level->type != VAL_INT || level->i < 10 || level->i > 69) return 0;
    return (uint8_t)((level->i / 10 - 1) * 4 + 1); /* bunyan, pino: 10 trace, 20 debug, ... 60 fatal */
}

void severity_from_syslog(uint64_t level, uint8_t *number, str *text) {
    static const struct {
        str name;
        uint8_t number;
    } levels[] = {{STR_INIT("emerg"), FATAL},  {STR_INIT("alert"), ERROR + 2}, {STR_INIT("crit"), ERROR + 1}, {STR_INIT("err"), ERROR},
                  {STR_INIT("warning"), WARN}, {STR_INIT("notice"), INFO + 1}, {STR_INIT("info"), INFO},      {STR_INIT("debug"), DEBUG}};
    if (level >= ARRAY_N(levels)) return;
    *number = levels[level].number;
    *text = levels[level].name;
}
