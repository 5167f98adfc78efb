#include "ingest/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "codec/num.h"
#include "loop/vfs.h"

struct collect {
    str procfs;
    struct arena *arena; /* emptied after each collector */
    struct buf *page;
};

/* --- reading and writing helpers */

enum { FILE_MAX = 4 << 20 };

static bool read_proc(struct collect *c, const char *name, str *out) {
    str path = arena_printf(c->arena, "%" STR_F "/%s", STR_A(c->procfs), name);
    return vfs_read_file(vfs_real(), arena_cstr(c->arena, path), FILE_MAX, c->arena, out, NULL);
}

/* Cuts the next line; false at the end. */
static bool next_line(str *text, str *line) {
    if (text->n == 0) return false;
    str_cut(text, '\n', line);
    return true;
}

/* Cuts the next blank-separated word; empty at the end. */
static str next_word(str *line) {
    while (line->n && (line->p[0] == ' ' || line->p[0] == '\t')) *line = str_from(*line, 1);
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t') n++;
    str word = str_sub(*line, 0, n);
    *line = str_from(*line, n);
    return word;
}

static uint64_t next_u64(str *line) {
    uint64_t v = 0;
    return str_u64(next_word(line), &v) ? v : 0;
}

static void family(struct collect *c, const char *name, const char *type, const char *help) {
    buf_printf(c->page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label_value(struct buf *b, str v) {
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\\' || v.p[i] == '"') buf_char(b, '\\');
        if (v.p[i] == '\n')
            buf_add(b, STR("\\n"));
        else
            buf_char(b, v.p[i]);
    }
}

struct tag {
    const char *name;
    str value;
};

static void series(struct collect *c, const char *name, const struct tag *tags, size_t tag_n, double value) {
    buf_printf(c->page, "%s", name);
    for (size_t i = 0; i < tag_n; i++) {
        buf_printf(c->page, "%s%s=\"", i ? "," : "{", tags[i].name);
        put_label_value(c->page, tags[i].value);
        buf_char(c->page, '"');
    }
    buf_add(c->page, tag_n ? STR("} ") : STR(" "));
    num_put_double(c->page, value);
    buf_char(c->page, '\n');
}

static void plain(struct collect *c, const char *name, const char *type, const char *help, double value) {
    family(c, name, type, help);
    series(c, name, NULL, 0, value);
}

static double ticks_per_second(void) {
    return (double)sysconf(_SC_CLK_TCK);
}

/* --- collectors */

static const char *const cpu_modes[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};

static bool collect_cpu(struct collect *c) {
    str text, line;
    if (!read_proc(c, "stat", &text)) return false;
    str again = text;
    family(c, "node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.");
    while (next_line(&text, &line)) {
        str name = next_word(&line);
        if (!str_starts(name, STR("cpu")) || name.n == 3) continue;
        for (size_t m = 0; m < ARRAY_N(cpu_modes); m++) {
            struct tag tags[] = {{"cpu", str_from(name, 3)}, {"mode", str_c(cpu_modes[m])}};
            series(c, "node_cpu_seconds_total", tags, 2, (double)next_u64(&line) / ticks_per_second());
        }
    }
    family(c, "node_cpu_guest_seconds_total", "counter", "Seconds the CPUs spent in guests (VMs) for each mode.");
    while (next_line(&again, &line)) {
        str name = next_word(&line);
        if (!str_starts(name, STR("cpu")) || name.n == 3) continue;
        for (size_t m = 0; m < ARRAY_N(cpu_modes); m++) next_word(&line);
        for (size_t m = 0; m < 2; m++) {
            struct tag tags[] = {{"cpu", str_from(name, 3)}, {"mode", str_c(cpu_modes[m])}};
            series(c, "node_cpu_guest_seconds_total", tags, 2, (double)next_u64(&line) / ticks_per_second());
        }
    }
    return true;
}

static bool collect_stat(struct collect *c) {
    static const struct {
        const char *key, *name, *type, *help;
    } keys[] = {
        {"intr", "node_intr_total", "counter", "Total number of interrupts serviced."},
        {"ctxt", "node_context_switches_total", "counter", "Total number of context switches."},
        {"btime", "node_boot_time_seconds", "gauge", "Node boot time, in unixtime."},
        {"processes", "node_forks_total", "counter", "Total number of forks."},
        {"procs_running", "node_procs_running", "gauge", "Number of processes in runnable state."},
        {"procs_blocked", "node_procs_blocked", "gauge", "Number of processes blocked waiting for I/O to complete."},
    };
    str text, line;
    if (!read_proc(c, "stat", &text)) return false;
    while (next_line(&text, &line)) {
        str key = next_word(&line);
        for (size_t i = 0; i < ARRAY_N(keys); i++)
            if (str_eq_c(key, keys[i].key)) plain(c, keys[i].name, keys[i].type, keys[i].help, (double)next_u64(&line));
    }
    return true;
}

/* "Active(anon):  123 kB" -> node_memory_Active_anon_bytes */
static bool collect_meminfo(struct collect *c) {
    str text, line;
    if (!read_proc(c, "meminfo", &text)) return false;
    while (next_line(&text, &line)) {
        str key;
        if (!str_cut(&line, ':', &key) || key.n > 60) continue;
        double value = (double)next_u64(&line);
        bool kb = str_eq(next_word(&line), STR("kB"));
        char name[96];
        size_t n = (size_t)snprintf(name, sizeof name, "node_memory_");
        for (size_t i = 0; i < key.n; i++) {
            if (key.p[i] == '(')
                name[n++] = '_';
            else if (key.p[i] != ')')
                name[n++] = key.p[i];
        }
        snprintf(name + n, sizeof name - n, "%s", kb ? "_bytes" : "");
        char help[128];
        snprintf(help, sizeof help, "Memory information field %" STR_F "%s.", STR_A(key), kb ? "_bytes" : "");
        plain(c, name, "gauge", help, value * (kb ? 1024 : 1));
    }
    return true;
}

static bool collect_loadavg(struct collect *c) {
    static const char *const names[] = {"node_load1", "node_load5", "node_load15"};
    static const char *const helps[] = {"1m load average.", "5m load average.", "15m load average."};
    str text;
    if (!read_proc(c, "loadavg", &text)) return false;
    for (size_t i = 0; i < ARRAY_N(names); i++) plain(c, names[i], "gauge", helps[i], strtod(arena_cstr(c->arena, next_word(&text)), NULL));
    return true;
}

/* /proc/diskstats columns after the name (Documentation/admin-guide/iostats.rst). */
static const struct disk_column {
    unsigned column;
    double scale;
    const char *name, *type, *help;
} disk_columns[] = {
    {0, 1, "node_disk_reads_completed_total", "counter", "The total number of reads completed successfully."},
    {1, 1, "node_disk_reads_merged_total", "counter", "The total number of reads merged."},
    {2, 512, "node_disk_read_bytes_total", "counter", "The total number of bytes read successfully."},
    {3, .001, "node_disk_read_time_seconds_total", "counter", "The total number of seconds spent by all reads."},
    {4, 1, "node_disk_writes_completed_total", "counter", "The total number of writes completed successfully."},
    {5, 1, "node_disk_writes_merged_total", "counter", "The number of writes merged."},
    {6, 512, "node_disk_written_bytes_total", "counter", "The total number of bytes written successfully."},
    {7, .001, "node_disk_write_time_seconds_total", "counter", "This is the total number of seconds spent by all writes."},
    {8, 1, "node_disk_io_now", "gauge", "The number of I/Os currently in progress."},
    {9, .001, "node_disk_io_time_seconds_total", "counter", "Total seconds spent doing I/Os."},
    {10, .001, "node_disk_io_time_weighted_seconds_total", "counter", "The weighted # of seconds spent doing I/Os."},
    {11, 1, "node_disk_discards_completed_total", "counter", "The total number of discards completed successfully."},
    {12, 1, "node_disk_discards_merged_total", "counter", "The total number of discards merged."},
    {13, 1, "node_disk_discarded_sectors_total", "counter", "The total number of sectors discarded successfully."},
    {14, .001, "node_disk_discard_time_seconds_total", "counter", "This is the total number of seconds spent by all discards."},
    {15, 1, "node_disk_flush_requests_total", "counter", "The total number of flush requests completed successfully"},
    {16, .001, "node_disk_flush_requests_time_seconds_total", "counter", "This is the total number of seconds spent by all flush requests."},
};

static bool all_digits(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

/* node_exporter's default: no ram, loop, floppy disks and no partitions. */
static bool disk_ignored(str d) {
    static const char *const prefixes[] = {"ram", "loop", "fd"};
    for (size_t i = 0; i < ARRAY_N(prefixes); i++)
        if (str_starts(d, str_c(prefixes[i])) && all_digits(str_from(d, strlen(prefixes[i])))) return true;
    size_t digits = 0;
    while (digits < d.n && d.p[d.n - 1 - digits] >= '0' && d.p[d.n - 1 - digits] <= '9') digits++;
    if (digits == 0) return false;
    if (str_starts(d, STR("nvme"))) return d.n > digits && d.p[d.n - 1 - digits] == 'p';
    return str_starts(d, STR("sd")) || str_starts(d, STR("hd")) || str_starts(d, STR("vd")) || str_starts(d, STR("xvd"));
}

static bool collect_diskstats(struct collect *c) {
    str all;
    if (!read_proc(c, "diskstats", &all)) return false;
    for (size_t k = 0; k < ARRAY_N(disk_columns); k++) {
        const struct disk_column *column = &disk_columns[k];
        str text = all, line;
        family(c, column->name, column->type, column->help);
        while (next_line(&text, &line)) {
            next_word(&line), next_word(&line);
            str device = next_word(&line);
            if (disk_ignored(device)) continue;
            str word = STR("");
            for (unsigned i = 0; i <= column->column; i++) word = next_word(&line);
            uint64_t v;
            if (!str_u64(word, &v)) continue; /* older kernels have fewer columns */
            struct tag tags[] = {{"device", device}};
            series(c, column->name, tags, 1, (double)v * column->scale);
        }
    }
    return true;
}

/* Octal escapes of /proc/mounts. */
static str unescape_mount(struct arena *a, str s) {
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool octal = s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3';
        out[n++] = octal ? (char)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 | (s.p[i + 3] - '0')) : s.p[i];
        if (octal) i += 3;
    }
    out[n] = 0;
    return str_n(out, n);
}

/* node_exporter's default exclusions. */
static bool mount_ignored(str mountpoint, str fstype) {
    static const char *const types[] = {"autofs",   "binfmt_misc", "bpf",        "cgroup",     "cgroup2",   "configfs", "debugfs", "devpts",
                                        "devtmpfs", "fusectl",     "hugetlbfs",  "iso9660",    "mqueue",    "nsfs",     "overlay", "proc",
                                        "procfs",   "pstore",      "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs",   "tracefs"};
    static const char *const mounts[] = {"/dev", "/proc", "/run/credentials", "/sys", "/var/lib/docker", "/var/lib/containers/storage"};
    for (size_t i = 0; i < ARRAY_N(types); i++)
        if (str_eq_c(fstype, types[i])) return true;
    for (size_t i = 0; i < ARRAY_N(mounts); i++) {
        str m = str_c(mounts[i]);
        if (str_starts(mountpoint, m) && (mountpoint.n == m.n || mountpoint.p[m.n] == '/')) return true;
    }
    return false;
}

struct mount {
    struct tag tags[3];
    bool ok, readonly;
    struct statvfs fs;
};

static double fs_size(const struct mount *m) {
    return (double)m->fs.f_blocks * (double)m->fs.f_frsize;
}
static double fs_free(const struct mount *m) {
    return (double)m->fs.f_bfree * (double)m->fs.f_frsize;
}
static double fs_avail(const struct mount *m) {
    return (double)m->fs.f_bavail * (double)m->fs.f_frsize;
}
static double fs_files(const struct mount *m) {
    return (double)m->fs.f_files;
}
static double fs_files_free(const struct mount *m) {
    return (double)m->fs.f_ffree;
}
static double fs_readonly(const struct mount *m) {
    return m->readonly;
}
static double fs_error(const struct mount *m) {
    return !m->ok;
}

static bool option_set(str options, str wanted) {
    str option;
    for (bool more = true; more;) {
        more = str_cut(&options, ',', &option);
        if (str_eq(option, wanted)) return true;
    }
    return false;
}

static bool collect_filesystem(struct collect *c) {
    enum { MOUNTS_MAX = 256 };
    static const struct {
        const char *name, *help;
        double (*value)(const struct mount *m);
        bool even_failed;
    } columns[] = {
        {"node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", fs_avail, false},
        {"node_filesystem_device_error", "Whether an error occurred while getting statistics for the given device.", fs_error, true},
        {"node_filesystem_files", "Filesystem total file nodes.", fs_files, false},
        {"node_filesystem_files_free", "Filesystem total free file nodes.", fs_files_free, false},
        {"node_filesystem_free_bytes", "Filesystem free space in bytes.", fs_free, false},
        {"node_filesystem_readonly", "Filesystem read-only status.", fs_readonly, true},
        {"node_filesystem_size_bytes", "Filesystem size in bytes.", fs_size, false},
    };
    str text, line;
    if (!read_proc(c, "1/mounts", &text) && !read_proc(c, "mounts", &text)) return false;
    struct mount *mounts = arena_new_n(c->arena, struct mount, MOUNTS_MAX);
    size_t n = 0;
    while (next_line(&text, &line) && n < MOUNTS_MAX) {
        str device = unescape_mount(c->arena, next_word(&line)), point = unescape_mount(c->arena, next_word(&line));
        str fstype = next_word(&line), flags = next_word(&line);
        bool seen = false;
        for (size_t i = 0; i < n; i++) seen |= str_eq(mounts[i].tags[2].value, point) && str_eq(mounts[i].tags[0].value, device);
        if (seen || mount_ignored(point, fstype)) continue;
        struct mount *m = &mounts[n++];
        *m = (struct mount){.tags = {{"device", device}, {"fstype", fstype}, {"mountpoint", point}}, .readonly = option_set(flags, STR("ro"))};
        m->ok = statvfs(arena_cstr(c->arena, point), &m->fs) == 0;
    }
    for (size_t k = 0; k < ARRAY_N(columns); k++) {
        family(c, columns[k].name, "gauge", columns[k].help);
        for (size_t i = 0; i < n; i++)
            if (mounts[i].ok || columns[k].even_failed) series(c, columns[k].name, mounts[i].tags, 3, columns[k].value(&mounts[i]));
    }
    return true;
}

/* Columns of /proc/net/dev: eight received, eight transmitted. */
static const char *const net_columns[] = {
    "receive_bytes",      "receive_packets",   "receive_errs",     "receive_drop",        "receive_fifo",  "receive_frame",
    "receive_compressed", "receive_multicast", "transmit_bytes",   "transmit_packets",    "transmit_errs", "transmit_drop",
    "transmit_fifo",      "transmit_colls",    "transmit_carrier", "transmit_compressed",
};

static bool collect_netdev(struct collect *c) {
    str all;
    if (!read_proc(c, "net/dev", &all)) return false;
    for (size_t k = 0; k < ARRAY_N(net_columns); k++) {
        char name[64], help[96];
        snprintf(name, sizeof name, "node_network_%s_total", net_columns[k]);
        snprintf(help, sizeof help, "Network device statistic %s.", net_columns[k]);
        family(c, name, "counter", help);
        str text = all, line;
        while (next_line(&text, &line)) {
            str device;
            if (!str_cut(&line, ':', &device)) continue;
            for (size_t i = 0; i < k; i++) next_word(&line);
            struct tag tags[] = {{"device", str_trim(device)}};
            series(c, name, tags, 1, (double)next_u64(&line));
        }
    }
    return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234" (µs): Documentation/accounting/psi.rst. */
static bool pressure_total(struct collect *c, const char *file, const char *kind, const char *name, const char *help) {
    str text, line;
    char path[32];
    snprintf(path, sizeof path, "pressure/%s", file);
    if (!read_proc(c, path, &text)) return false;
    while (next_line(&text, &line)) {
        if (!str_eq_c(next_word(&line), kind)) continue;
        size_t at = str_find(line, STR("total="));
        uint64_t us;
        if (at != STR_NONE && str_u64(str_trim(str_from(line, at + 6)), &us)) plain(c, name, "counter", help, (double)us / 1e6);
    }
    return true;
}

static bool collect_pressure(struct collect *c) {
    bool cpu =
        pressure_total(c, "cpu", "some", "node_pressure_cpu_waiting_seconds_total", "Total time in seconds that processes have waited for CPU time");
    bool io = pressure_total(c, "io", "some", "node_pressure_io_waiting_seconds_total",
                             "Total time in seconds that processes have waited due to IO congestion") &&
              pressure_total(c, "io", "full", "node_pressure_io_stalled_seconds_total",
                             "Total time in seconds no process could make progress due to IO congestion");
    bool memory = pressure_total(c, "memory", "some", "node_pressure_memory_waiting_seconds_total",
                                 "Total time in seconds that processes have waited for memory") &&
                  pressure_total(c, "memory", "full", "node_pressure_memory_stalled_seconds_total",
                                 "Total time in seconds no process could make progress due to memory congestion");
    return cpu && io && memory;
}

static bool collect_filefd(struct collect *c) {
    str text;
    if (!read_proc(c, "sys/fs/file-nr", &text)) return false;
    plain(c, "node_filefd_allocated", "gauge", "File descriptor statistics: allocated.", (double)next_u64(&text));
    next_word(&text);
    plain(c, "node_filefd_maximum", "gauge", "File descriptor statistics: maximum.", (double)next_u64(&text));
    return true;
}

static bool collect_vmstat(struct collect *c) {
    static const char *const keys[] = {"oom_kill", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout"};
    str text, line;
    if (!read_proc(c, "vmstat", &text)) return false;
    while (next_line(&text, &line)) {
        str key = next_word(&line);
        for (size_t i = 0; i < ARRAY_N(keys); i++) {
            if (!str_eq_c(key, keys[i])) continue;
            char name[64], help[96];
            snprintf(name, sizeof name, "node_vmstat_%s", keys[i]);
            snprintf(help, sizeof help, "/proc/vmstat information field %s.", keys[i]);
            plain(c, name, "untyped", help, (double)next_u64(&line));
        }
    }
    return true;
}

static bool collect_sockstat(struct collect *c) {
    str text, line;
    if (!read_proc(c, "net/sockstat", &text)) return false;
    while (next_line(&text, &line)) {
        str protocol;
        if (!str_cut(&line, ':', &protocol) || protocol.n > 16) continue;
        for (str key = next_word(&line); key.n && key.n < 24; key = next_word(&line)) {
            char name[80], help[96];
            snprintf(name, sizeof name, "node_sockstat_%" STR_F "_%" STR_F, STR_A(protocol), STR_A(key));
            snprintf(help, sizeof help, "Number of %" STR_F " sockets in state %" STR_F ".", STR_A(protocol), STR_A(key));
            plain(c, name, "gauge", help, (double)next_u64(&line));
        }
    }
    return true;
}

static bool collect_time(struct collect *c) {
    plain(c, "node_time_seconds", "gauge", "System time in seconds since epoch (1970).", (double)clock_wall_ns() / 1e9);
    return true;
}

static bool collect_uname(struct collect *c) {
    struct utsname u;
    if (uname(&u) != 0) return false;
    struct tag tags[] = {{"domainname", str_c(u.domainname)}, {"machine", str_c(u.machine)}, {"nodename", str_c(u.nodename)},
                         {"release", str_c(u.release)},       {"sysname", str_c(u.sysname)}, {"version", str_c(u.version)}};
    family(c, "node_uname_info", "gauge", "Labeled system information as provided by the uname system call.");
    series(c, "node_uname_info", tags, ARRAY_N(tags), 1);
    return true;
}

static const struct {
    const char *name;
    bool (*collect)(struct collect *c);
} collectors[] = {
    {"cpu", collect_cpu},         {"stat", collect_stat},           {"meminfo", collect_meminfo},
    {"loadavg", collect_loadavg}, {"diskstats", collect_diskstats}, {"filesystem", collect_filesystem},
    {"netdev", collect_netdev},   {"pressure", collect_pressure},   {"filefd", collect_filefd},
    {"vmstat", collect_vmstat},   {"sockstat", collect_sockstat},   {"time", collect_time},
    {"uname", collect_uname},
};

void host_collect(str procfs, struct buf *page) {
    struct collect c = {.procfs = procfs, .arena = arena_new(64 << 10), .page = page};
    double seconds[ARRAY_N(collectors)];
    bool ok[ARRAY_N(collectors)];
    for (size_t i = 0; i < ARRAY_N(collectors); i++) {
        int64_t began_ns = clock_mono_ns();
        ok[i] = collectors[i].collect(&c);
        seconds[i] = (double)(clock_mono_ns() - began_ns) / 1e9;
        arena_reset(c.arena);
    }
    family(&c, "node_scrape_collector_duration_seconds", "gauge", "node_exporter: Duration of a collector scrape.");
    for (size_t i = 0; i < ARRAY_N(collectors); i++)
        series(&c, "node_scrape_collector_duration_seconds", &(struct tag){"collector", str_c(collectors[i].name)}, 1, seconds[i]);
    family(&c, "node_scrape_collector_success", "gauge", "node_exporter: Whether a collector succeeded.");
    for (size_t i = 0; i < ARRAY_N(collectors); i++)
        series(&c, "node_scrape_collector_success", &(struct tag){"collector", str_c(collectors[i].name)}, 1, ok[i]);
    arena_free(c.arena);
}
