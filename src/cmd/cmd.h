/* cmd/cmd: the subcommands, each `int cmd_x(int argc, char **argv)` with argv[0] its own name; the return value is the exit code. */
#pragma once

int cmd_serve(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_check_metrics(int argc, char **argv); /* check metrics: argv[0] is "metrics" */
int cmd_check_config(int argc, char **argv);
int cmd_promqltest(int argc, char **argv);
