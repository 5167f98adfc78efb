#include "ingest/pod_identity.h"

#include <stdio.h>

#include "wire/multiline.h"

enum { ID_DIGITS = 64 };

static bool from_pods(str rest, struct pod_ref *out) {
    str folder, pod, container;
    if (!str_cut(&rest, '/', &folder) || !str_cut(&rest, '/', &container)) return false;
    struct pod_ref r = {.container_name = container, .pod_id = STR(""), .docker_id = STR("")};
    if (!str_cut(&folder, '_', &r.namespace_name) || !str_cut(&folder, '_', &pod) || folder.n == 0) return false;
    r.pod_name = pod;
    r.pod_id = folder;
    *out = r;
    return true;
}

static bool from_containers(str name, struct pod_ref *out) {
    struct pod_ref r = {.pod_id = STR("")};
    if (!str_ends(name, STR(".log")) || !str_cut(&name, '_', &r.pod_name) || !str_cut(&name, '_', &r.namespace_name)) return false;
    if (name.n < ID_DIGITS + 6 || name.p[name.n - ID_DIGITS - 5] != '-') return false;
    r.container_name = str_sub(name, 0, name.n - ID_DIGITS - 5);
    r.docker_id = str_sub(name, name.n - ID_DIGITS - 4, name.n - 4);
    *out = r;
    return true;
}

bool pod_ref_from_path(str path, struct pod_ref *out) {
    size_t at = str_find(path, STR("/pods/"));
    if (at != STR_NONE && from_pods(str_from(path, at + 6), out)) return true;
    at = str_find(path, STR("/containers/"));
    return at != STR_NONE && from_containers(str_from(path, at + 12), out);
}

size_t pod_attrs(const struct pod_ref *pod, const struct pod_info *info, struct field out[static POD_ATTRS_MAX]) {
    static const struct pod_info nothing;
    if (!info) info = &nothing;
    const struct {
        str key, value;
    } texts[] = {
        {STR("kubernetes.namespace_name"), pod->namespace_name},
        {STR("kubernetes.pod_name"), pod->pod_name},
        {STR("kubernetes.pod_id"), pod->pod_id},
        {STR("kubernetes.container_name"), pod->container_name},
        {STR("kubernetes.docker_id"), pod->docker_id},
        {STR("kubernetes.host"), info->node},
        {STR("kubernetes.pod_ip"), info->pod_ip},
        {STR("kubernetes.container_image"), info->image},
        {STR("kubernetes.owner_kind"), info->owner_kind},
        {STR("kubernetes.owner_name"), info->owner_name},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_N(texts); i++)
        if (texts[i].value.n) out[n++] = (struct field){texts[i].key, value_str(texts[i].value)};
    const struct value labels = {.type = VAL_MAP, .n = (uint32_t)info->label_n, .fields = info->labels};
    const struct value annotations = {.type = VAL_MAP, .n = (uint32_t)info->annotation_n, .fields = info->annotations};
    if (labels.n) out[n++] = (struct field){STR("kubernetes.labels"), labels};
    if (annotations.n) out[n++] = (struct field){STR("kubernetes.annotations"), annotations};
    assert(n <= POD_ATTRS_MAX);
    return n;
}

static str text_of(const struct field *list, size_t n, str key) {
    const struct value *v = fields_get(list, n, key);
    return v && v->type == VAL_STRING ? v->s : STR_NULL;
}

str pod_service(const struct pod_ref *pod, const struct pod_info *info) {
    if (!info) return pod->container_name;
    str name = text_of(info->labels, info->label_n, STR("app.kubernetes.io/name"));
    if (!name.n) name = text_of(info->labels, info->label_n, STR("app"));
    return name.n ? name : pod->container_name;
}

static str wish(const struct pod_info *info, const char *what, str container, str stream) {
    static const char *const owners[] = {"fluentbit.io", "binnacle.io"};
    str found = STR_NULL;
    for (size_t form = 0; form < 4; form++) { /* plain, of the container, of the stream, of both: later ones win */
        for (size_t o = 0; o < ARRAY_N(owners); o++) {
            char key[320];
            int n = snprintf(key, sizeof key, "%s/%s%s%" STR_F "%s%" STR_F, owners[o], what, form & 2 ? "_" : "", STR_A(form & 2 ? stream : STR("")),
                             form & 1 ? "-" : "", STR_A(form & 1 ? container : STR("")));
            if (n < 0 || (size_t)n >= sizeof key) continue;
            str value = text_of(info->annotations, info->annotation_n, str_n(key, (size_t)n));
            if (value.n) found = value;
        }
    }
    return found;
}

struct pod_wishes pod_wishes(const struct pod_info *info, str container, str stream) {
    static const struct {
        str name;
        unsigned rules;
    } parsers[] = {{STR_INIT("java"), MULTILINE_JAVA},
                   {STR_INIT("python"), MULTILINE_PYTHON},
                   {STR_INIT("go"), MULTILINE_GO},
                   {STR_INIT("ruby"), MULTILINE_RUBY},
                   {STR_INIT("none"), 0},
                   {STR_INIT("off"), 0}};
    struct pod_wishes w = {.multiline = MULTILINE_ALL};
    str parser = wish(info, "parser", container, stream);
    w.exclude = str_eq_nocase(wish(info, "exclude", container, stream), STR("true"));
    for (size_t i = 0; i < ARRAY_N(parsers); i++)
        if (str_eq_nocase(parser, parsers[i].name)) w.multiline = parsers[i].rules;
    return w;
}
