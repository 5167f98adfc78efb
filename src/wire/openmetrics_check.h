/* wire/openmetrics_check: is a page what OpenMetrics 1.0 demands? Far stricter than what a scrape accepts: names, suffixes and labels of every
 * type, grouping and order of series, consistent histograms, exemplars only where they may be. Pure; any thread.
 * Source: OpenMetrics 1.0 "Metric Types", "Data Model" and the rules of its published test suite. */
#pragma once
#include "base/err.h"

/* ERR_INPUT with the line: "line 3: the +Inf bucket is missing". */
MUST_USE bool openmetrics_check(str text, struct err *e);
