/*
 * source FILE - the least that sending a log can cost: whoever connects gets the file, for each
 * byte that it sends a mebibyte by sendfile. Writes its port to stdout.
 *
 * It is asked, as a broker is: a sendfile that has to wait for its reader all the time costs twice
 * as much.
 */
#include "bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEP = 1 << 20 };

static void give(int to, const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    off_t at = 0;
    ssize_t k = 1;
    char asked;

    if (fd < 0)
        die("%s: %s", name, strerror(errno));
    while (k > 0 && recv(to, &asked, 1, 0) == 1)
        for (size_t left = STEP; left > 0 && k > 0; left -= (size_t)k) {
            k = sendfile(to, fd, &at, left);
            if (k <= 0)
                break;
        }
    close(fd);
}

int main(int argc, char **argv)
{
    int port = 0, listener;

    if (argc != 2)
        die("usage: source FILE");
    listener = listen_local(&port);
    signal(SIGPIPE, SIG_IGN);
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        give(fd, argv[1]);
        close(fd);
    }
}
