#include "net/curl.h"

#include <dlfcn.h>

static const struct {
    const char *name;
    size_t at;
} functions[] = {
#define CURL_ROW(name) {"curl_" #name, offsetof(struct curl, name)},
    CURL_FUNCTIONS(CURL_ROW)};

static bool open_library(struct curl *c, struct err *e) {
    static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};
    void *library = NULL;
    for (size_t i = 0; !library && i < ARRAY_N(names); i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return err_set(e, ERR_IO, "no HTTP requests without libcurl; install libcurl3-gnutls or libcurl4: %s", dlerror());
    for (size_t i = 0; i < ARRAY_N(functions); i++) {
        void *f = dlsym(library, functions[i].name);
        if (!f) return err_set(e, ERR_IO, "libcurl is too old: it has no %s", functions[i].name);
        memcpy((char *)c + functions[i].at, &f, sizeof f);
    }
    return true;
}

const struct curl *curl_load(struct err *e) {
    static struct curl curl;
    static struct err why;
    static enum { NOT_YET, LOADED, MISSING } state;
    if (state == NOT_YET) state = open_library(&curl, &why) ? LOADED : MISSING;
    if (state == LOADED) return &curl;
    if (e) *e = why;
    return NULL;
}
