#pragma once

/*
 * BusError: says what happened when a file that is mapped cannot be read or written any more.
 *
 * The journal's segments are mapped; one that somebody cuts, or whose disk fails, is a SIGBUS at
 * whatever touches it next. No code behind that could go on as if the bytes were there, so the
 * process ends, with exit code 1 and a line that names the file, for a service manager to start it
 * again: a start reads what is there and names what is not.
 */

#include "base/base.h"

void bus_error_guard(void); /* once, before the first thread */
