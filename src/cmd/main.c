/* cmd/main: the subcommands. */
#include <stdio.h>

int main(void) {
    puts("binnacle " BN_VERSION);
    return 0;
}
