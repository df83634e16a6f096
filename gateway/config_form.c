#include "gateway/config_form.h"

#include "gateway/base/name.h"

static bool config_form_has_items(ConfigType type) {
        return type == CONFIG_PROXIES || type == CONFIG_MQTT_URL || type == CONFIG_ALGORITHMS ||
               type == CONFIG_TOPICS;
}

bool config_form_is_text(ConfigType type, const char *text) {
        for (const char *c = text; *c; ++c)
                if (((unsigned char)*c < ' ' && (*c != '\t' || !config_form_has_items(type))) ||
                    *c == '\x7f')
                        return false;
        return type == CONFIG_PATH || name_is_utf8(text_of(text)); /* files have names of bytes */
}
