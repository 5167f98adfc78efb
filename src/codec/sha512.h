/* codec/sha512: SHA-512 (FIPS 180-4), for the handshake of the Fluentd forward protocol. Pure; any thread. */
#pragma once
#include "base/str.h"

enum { SHA512_BYTES = 64, SHA512_HEX = 128 };
/* Of the parts one behind the other, in lower-case hex; not NUL-ended. */
void sha512_hex(const str *parts, size_t n, char out[static SHA512_HEX]);
