/*
 * replay - the main of a fuzz target without a fuzzer: feeds it every file of a directory, and
 * every beginning of the small ones, and speaks TAP. A finding ends the process, which tests/run
 * counts.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 20, CUT_UP_TO = 2048 };

/* In memory of exactly its size, so that a sanitizer sees the first byte read past the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(int argc, char **argv)
{
    static uint8_t data[LARGEST];
    struct dirent *entry;
    int files = 0;
    DIR *dir;

    printf("1..1\n");
    dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        printf("not ok 1 - the corpus is a directory\n");
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        char path[4096];
        FILE *f;
        size_t n;

        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.' || !(f = fopen(path, "rb")))
            continue;
        n = fread(data, 1, sizeof data, f);
        fclose(f);
        for (size_t cut = 0; n <= CUT_UP_TO && cut < n; cut++)
            feed(data, cut);
        feed(data, n);
        files++;
    }
    closedir(dir);
    printf("%sok 1 - %d inputs replayed\n", files ? "" : "not ", files);
    return files ? 0 : 1;
}
