#pragma once

/*
 * Slot: which of a cluster's slots a message belongs to, where there are several.
 *
 * What is said of one thing belongs to one slot, so that one writer stores it, in order. Which one
 * follows from the topic alone: every gateway of a cluster has to come to the same, of every
 * version and on every machine. So the formula is part of what is stored (docs/decisions/087) and
 * does not change; tests have its numbers. Pure.
 */

#include "base/base.h"
#include "model/topic.h"

#define SLOT_MAX 64 /* slots of a cluster */

/* Whose message it is, as its topic names it: the vehicle, else the device; else the whole topic.
 * @match: what the template of its route took. Borrowed from both. */
Text slot_key(const TopicMatch *match, Text topic);

/* 0 to @n_slots - 1: FNV-1a of 64 bits over the bytes of the key, mixed, modulo @n_slots. */
unsigned slot_of(Text key, unsigned n_slots);
