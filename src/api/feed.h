/* api/feed: a long reply that is made in the pool and sent piece by piece, so that no more than a few pieces are in memory, however slow the client.
 * What fits one piece is an ordinary reply: with its length, gzipped if wanted. Loop thread, but for make.
 *
 *   struct my_feed { struct feed feed; ... };      made by the handler, freed by kind->free
 *   feed_start(app, x, &mine->feed);               answers the exchange in any case */
#pragma once
#include "api/app.h"

enum { FEED_PIECE_BYTES = 1 << 20 };

struct feed;
struct feed_kind {
    /* In the pool: appends about FEED_PIECE_BYTES to *piece and sets f->finished with the last one. Called until then. */
    bool (*make)(struct feed *f, struct buf *piece, struct err *e);
    void (*fail)(struct http_exchange *x, const struct err *e); /* nothing was sent yet: answers. Later the connection is cut. */
    void (*free)(struct feed *f);
};

struct feed {
    const struct feed_kind *kind;
    str content_type;         /* static text */
    str content_coding;       /* of the pieces, or empty. Static text */
    struct job job;           /* its deadline is set by the handler */
    bool finished;            /* by make */
    struct http_exchange *x;  /* the rest is feed.c's */
    struct http_stream *sink; /* from the second piece on */
    struct app *app;
    struct feed *next, *before; /* in app->feeds */
    struct timer *retry;
    struct buf piece;
    size_t sent; /* of the piece */
    bool ok;
    struct err err;
};

void feed_start(struct app *app, struct http_exchange *x, struct feed *f);
/* When the pool is gone and the store is about to: cuts what waits for slow clients. */
void feed_stop_all(struct app *app);
