#pragma once

/*
 * ProcessorSetup: what the configuration says of a processor, whoever runs one.
 *
 * Whose records it stores, where events and orders go, and who hears of its end are not in it.
 * Borrows from the configuration.
 */

#include "gateway/config/config.h"
#include "gateway/store/processor_options.h"

ProcessorOptions processor_setup(const Config *config);
