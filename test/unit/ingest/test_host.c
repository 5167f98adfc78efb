#include "ingest/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/binnacle-host-XXXXXX";

static void put_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void put_dir(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int make_proc(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    put_dir("net");
    put_dir("pressure");
    put_file("stat",
             "cpu  300 0 100 1000 0 0 0 0 0 0\ncpu0 150 2 50 500 10 1 3 4 7 8\ncpu1 150 0 50 500 0 0 0 0 0 0\nintr 12345 1 2 3\nctxt 678\n"
             "btime 1700000000\nprocesses 91\nprocs_running 2\nprocs_blocked 1\n");
    put_file("meminfo", "MemTotal:       16000 kB\nActive(anon):    10 kB\nHugePages_Total:       3\n");
    put_file("loadavg", "0.25 1.50 2.00 1/234 567\n");
    put_file(
        "diskstats",
        "   8       0 sda 10 1 200 3000 20 2 400 5000 1 6000 7000\n   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n   7 0 loop0 1 1 1 1 1 1 1 1 1 1 1\n");
    put_file("net/dev", "Inter-|   Receive\n face |bytes\n  eth0: 100 2 3 4 5 6 7 8 900 10 11 12 13 14 15 16\n");
    put_file("pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
    put_file("vmstat", "nr_free 1\npgfault 42\n");
    return 0;
}

static int remove_proc(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static struct buf collect(void) {
    struct buf page = {0};
    host_collect(str_c(root), &page);
    return page;
}

static void assert_line(const struct buf *page, const char *line) {
    char wanted[300];
    int n = snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (str_find(buf_str(page), str_n(wanted, (size_t)n)) == STR_NONE) fail_msg("no line \"%s\" in the page", line);
}

static void names_and_units_are_node_exporters(void **state) {
    (void)state;
    struct buf page = collect();
    assert_line(&page, "# TYPE node_cpu_seconds_total counter");
    assert_line(&page, "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1.5");
    assert_line(&page, "node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"} 5");
    assert_line(&page, "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"} 0.08");
    assert_line(&page, "node_intr_total 12345");
    assert_line(&page, "node_boot_time_seconds 1700000000");
    assert_line(&page, "node_memory_MemTotal_bytes 16384000");
    assert_line(&page, "node_memory_Active_anon_bytes 10240");
    assert_line(&page, "node_memory_HugePages_Total 3");
    assert_line(&page, "node_load5 1.5");
    assert_line(&page, "node_disk_read_bytes_total{device=\"sda\"} 102400");
    assert_line(&page, "node_disk_io_time_seconds_total{device=\"sda\"} 6");
    assert_line(&page, "node_network_transmit_bytes_total{device=\"eth0\"} 900");
    assert_line(&page, "node_vmstat_pgfault 42");
    buf_done(&page);
}

static void partitions_and_loop_devices_are_left_out(void **state) {
    (void)state;
    struct buf page = collect();
    assert_true(str_find(buf_str(&page), STR("sda1")) == STR_NONE);
    assert_true(str_find(buf_str(&page), STR("loop0")) == STR_NONE);
    buf_done(&page);
}

static void a_missing_file_fails_only_its_collector(void **state) {
    (void)state;
    struct buf page = collect(); /* no pressure/io, no filefd */
    assert_line(&page, "node_pressure_cpu_waiting_seconds_total 2.5");
    assert_line(&page, "node_scrape_collector_success{collector=\"pressure\"} 0");
    assert_line(&page, "node_scrape_collector_success{collector=\"filefd\"} 0");
    assert_line(&page, "node_scrape_collector_success{collector=\"meminfo\"} 1");
    buf_done(&page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_units_are_node_exporters),
        cmocka_unit_test(partitions_and_loop_devices_are_left_out),
        cmocka_unit_test(a_missing_file_fails_only_its_collector),
    };
    return cmocka_run_group_tests(tests, make_proc, remove_proc);
}
