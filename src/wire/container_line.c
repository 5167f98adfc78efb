#include "wire/container_line.h"

#include "codec/json.h"
#include "codec/timefmt.h"

static bool is_stream(str s) {
    return str_eq(s, STR("stdout")) || str_eq(s, STR("stderr"));
}

static bool parse_docker(str line, struct arena *a, struct container_line *out) {
    struct json j = json_open(line, a);
    struct container_line l = {0};
    str time = STR_NULL;
    json_object(&j);
    for (str key; json_next_key(&j, &key);) {
        str *to = str_eq(key, STR("log")) ? &l.message : str_eq(key, STR("stream")) ? &l.stream : str_eq(key, STR("time")) ? &time : NULL;
        if (to)
            json_string(&j, to);
        else
            json_skip(&j);
    }
    if (!json_done(&j, NULL) || !l.message.p || !is_stream(l.stream) || !time_parse_rfc3339(time, &l.time_ns, NULL)) return false;
    l.partial = !str_ends(l.message, STR("\n"));
    if (!l.partial) l.message.n--;
    *out = l;
    return true;
}

static bool parse_cri(str line, struct container_line *out) {
    struct container_line l = {0};
    str time, tags, tag;
    if (!str_cut(&line, ' ', &time) || !str_cut(&line, ' ', &l.stream) || !is_stream(l.stream)) return false;
    if (!time_parse_rfc3339(time, &l.time_ns, NULL)) return false;
    str_cut(&line, ' ', &tags);
    str_cut(&tags, ':', &tag); /* the first tag is the one CRI defines */
    if (!str_eq(tag, STR("P")) && !str_eq(tag, STR("F"))) return false;
    l.partial = tag.p[0] == 'P';
    l.message = line;
    *out = l;
    return true;
}

bool container_line_parse(str line, struct arena *a, struct container_line *out) {
    if (line.n == 0) return false;
    return line.p[0] == '{' ? parse_docker(line, a, out) : parse_cri(line, out);
}
