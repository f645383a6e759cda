/*
 * godown DIR - the power goes: shuts down the ext4 or XFS on which DIR lies, with nothing flushed
 * (FS_IOC_SHUTDOWN, flag NOLOGFLUSH). Every later call on it fails with EIO; what had not reached
 * the device is gone at the next mount.
 *
 * On the machine's own file system that would be the end of the machine. So anything is refused but
 * the root of a mount that lies on a loop device, which a directory that is not mounted cannot be.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)
#define NOLOGFLUSH  2
#define LOOP_MAJOR  7

int main(int argc, char **argv)
{
    uint32_t flags = NOLOGFLUSH;
    struct stat dir, parent;
    int fd;

    if (argc != 2) {
        fprintf(stderr, "usage: godown DIR\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fstat(fd, &dir) != 0 || fstatat(fd, "..", &parent, 0) != 0) {
        perror(argv[1]);
        return 1;
    }
    if (major(dir.st_dev) != LOOP_MAJOR || dir.st_dev == parent.st_dev) {
        fprintf(stderr, "godown: %s is not where a loop device is mounted, refused\n", argv[1]);
        return 2;
    }
    if (ioctl(fd, FS_SHUTDOWN, &flags) != 0) {
        perror("godown");
        return 1;
    }
    return 0;
}
