/* codec/crc32c: CRC-32C (Castagnoli, RFC 3720 appendix B.4), as Prometheus' streamed remote read frames carry it. Pure; any thread. */
#pragma once
#include "base/str.h"

uint32_t crc32c(str s);
