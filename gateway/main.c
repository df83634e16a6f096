#include "gateway/base/secret.h"
#include "gateway/cli.h"

int main(int argc, char *argv[]) {
        (void)!secret_use_huge_pages(); /* else log-ins take longer, and nothing is wrong */
        return cli_main(argc, argv);
}
