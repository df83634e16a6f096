#include "gateway/lease_note.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

void lease_note_others(const char *path, bool is_others) {
        int fd;

        if (!is_others) {
                (void)unlink(path);
                return;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                log_warning("standby_not_noted file=\"%s\" errno=%d", path, errno);
        else
                (void)close(fd);
}
