/* api/jaeger: what the files of Jaeger's v1 JSON API share. Loop thread. */
#pragma once
#include "codec/json.h"
#include "net/http_server.h"

/* {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":status,"msg":message}]} */
void jaeger_reply_error(struct http_exchange *x, int status, str message);
/* The envelope around the data of a good answer: {"data": ... "total":n,"limit":0,"offset":0,"errors":null}. */
void jaeger_begin_data(struct json_out *o);
void jaeger_end_data(struct json_out *o, size_t total);
