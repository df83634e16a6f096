#include <fcntl.h>

#include "base/secret.h"
#include "gateway/cli/cli.h"

/* Who starts us may have closed them. The next files that are opened would take their places, and
 * get what is logged and printed: a journal, a connection. One of another direction is as closed as
 * before to whoever writes, and says so. */
static void main_fill_streams(void) {
        for (int fd = 0; fd <= 2; ++fd)
                if (fcntl(fd, F_GETFD) < 0)
                        (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int main(int argc, char *argv[]) {
        main_fill_streams();
        (void)!secret_use_huge_pages(); /* else log-ins take longer, and nothing is wrong */
        return cli_main(argc, argv);
}
