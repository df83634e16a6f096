#include "db/write/names.h"

#include "base/text.h"

bool db_names_are_news(DbNames *names, const Record *record, int64_t now_us) {
        const Text said[] = { record->said_name,
                              record->said_location,
                              record->said_maker,
                              record->said_model,
                              record->said_firmware };
        DbName *slot = &names->slots[(uint64_t)record->device_id % DB_NAMES];
        uint64_t hash = TEXT_HASH;
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(said); ++i) {
                hash = text_hash(text_hash(hash, said[i].data, said[i].n), "", 1);
                n += said[i].n;
        }
        if (n == 0 || record->letter_id != 0)
                return false;
        if (now_us >= names->until_us) {
                db_names_forget(names);
                names->until_us = now_us + DB_NAMES_US;
        }
        if (slot->device_id == record->device_id && slot->hash == hash)
                return false;
        *slot = (DbName){ .device_id = record->device_id, .hash = hash };
        return true;
}

void db_names_forget(DbNames *names) {
        memset(names->slots, 0, sizeof(names->slots));
}
