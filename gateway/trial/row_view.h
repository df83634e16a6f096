#pragma once

/*
 * RowView: the row that a message would make, shown.
 *
 * Names are as the message says them, since no registry is asked.
 */

#include "gateway/trial/view.h"
#include "model/record.h"

/* The row and what was set aside of it, of a record that is no dead letter. */
void row_view(View *view, const Record *record);
