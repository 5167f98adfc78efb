/* Replays a corpus folder through LLVMFuzzerTestOneInput: fuzz targets as ordinary tests, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), 1;
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(n ? n : 1); /* exact size, so that ASan sees one byte too far */
    if (!data || fread(data, 1, n, f) != n) abort();
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    /* Every truncation of small inputs: cheap and finds most bounds errors. */
    if (n <= 2048) {
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *part = malloc(cut ? cut : 1);
            if (!part) abort();
            memcpy(part, data, cut);
            LLVMFuzzerTestOneInput(part, cut);
            free(part);
        }
    }
    free(data);
    return 0;
}

int main(int argc, char **argv) {
    unsigned files = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) return perror(argv[i]), 1;
        for (struct dirent *entry; (entry = readdir(d));) {
            if (entry->d_name[0] == '.') continue;
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            failed += (unsigned)replay_file(path);
            files++;
        }
        closedir(d);
    }
    printf("replayed %u inputs\n", files);
    return files == 0 || failed;
}
