/* store/metrics/merge: columns from several sources in one order. Pure; any thread. */
#pragma once
#include "store/metrics/cells.h"

/* Sorts by time unless it is sorted; of samples at one time the one that was appended last stays. */
MUST_USE bool columns_ascend(struct columns *c, struct err *e);
