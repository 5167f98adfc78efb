/* ingest/forward: Fluentd's forward protocol as a push_door protocol (wire/fluent_forward.h). A chunk is acknowledged when it is durable. With a
 * shared key the handshake is asked for, and whoever does not know the key is told so and sent away. */
#pragma once
#include "ingest/push_door.h"

struct forward_settings {
    str shared_key;           /* "": none is asked for */
    size_t decoded_bytes_max; /* compressed entries, unpacked */
};
extern const struct push_protocol forward_protocol; /* settings: struct forward_settings */
