/* api/journal: systemd-journal-upload, on the port of systemd-journal-remote (19532) and here. Source: systemd-journal-remote(8): POST /upload with
 * application/vnd.fdo.journal, answered 202; the client goes on behind its cursor, so the entries of a request that failed come again. */
#include "api/intake.h"
#include "wire/journal_export.h"

static bool decode_upload(struct intake *r, struct err *e) {
    return journal_export_decode(r->body, r->now_ns, &r->events, e);
}
/* Single entries that the store refused are counted; told so, the client would send them for ever. */
static void reply_upload(struct intake *r) {
    if (r->err.code != ERR_NONE) return http_reply_text(r->x, err_http_status(r->err.code), err_str(&r->err));
    http_reply_text(r->x, 202, STR("OK.\n"));
}
static const struct intake_kind upload_kind = {SIGNAL_LOGS, decode_upload, reply_upload};

static void upload(void *app, struct http_exchange *x) {
    if (str_eq_nocase(intake_content_type(x), STR("application/vnd.fdo.journal"))) return intake_start(app, x, &upload_kind, 0);
    http_reply_text(x, 415, STR("Content-Type: application/vnd.fdo.journal is required.\n"));
}

const struct http_route journal_routes[] = {
    {HTTP_POST, "/upload", upload, DOOR_MAIN | DOOR_JOURNAL},
    {0},
};
