/* cli/commands.h -- the one table of commands. Parser, help, completion and the man page's section come from it. */
#pragma once

#include "cli/args.h"

#define HOLDFAST_VERSION "0.1.0"

struct command {
	const char *noun, *verb; /* verb: NULL for a command of one word */
	const char *synopsis;    /* what follows the words */
	const char *help;        /* one line */
	size_t min, max;         /* how many arguments */
	int (*run)(struct cli *cli, const struct args *args, struct error *err);
	const struct option_def *options; /* may be NULL */
};

extern const struct command commands[];
extern const size_t command_count;
extern const struct option_def global_options[];

/* Finds by the first one or two words; *words tells how many were used. CLI_USAGE, with the nearest name, otherwise. */
int command_find(const struct command **out, int *words, int argc, char **argv, struct error *err) _must_check_;
/* "device list" */
void command_name(char out[static 64], const struct command *command);
/* Edit distance, swaps counted as one. */
unsigned command_distance(const char *a, const char *b);

void help_all(struct buf *out);
void help_command(struct buf *out, const struct command *command);
/* bash, zsh, fish; CLI_USAGE for another. */
int completion(struct buf *out, const char *shell, struct error *err) _must_check_;
/* The man page's section, in scdoc. */
void help_man(struct buf *out);

int cmd_init(struct cli *cli, const struct args *args, struct error *err);
int cmd_invite(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_import(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_list(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_match(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_ack(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_document(struct cli *cli, const struct args *args, struct error *err);
int cmd_advisory_export(struct cli *cli, const struct args *args, struct error *err);
int cmd_device_admit(struct cli *cli, const struct args *args, struct error *err);
int cmd_device_replace(struct cli *cli, const struct args *args, struct error *err);
int cmd_device_list(struct cli *cli, const struct args *args, struct error *err);
int cmd_device_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_status(struct cli *cli, const struct args *args, struct error *err);
int cmd_log(struct cli *cli, const struct args *args, struct error *err);
int cmd_diff(struct cli *cli, const struct args *args, struct error *err);
int cmd_cat(struct cli *cli, const struct args *args, struct error *err);
int cmd_audit(struct cli *cli, const struct args *args, struct error *err);
int cmd_witness_init(struct cli *cli, const struct args *args, struct error *err);
int cmd_witness_once(struct cli *cli, const struct args *args, struct error *err);
int cmd_witness_run(struct cli *cli, const struct args *args, struct error *err);
int cmd_restore(struct cli *cli, const struct args *args, struct error *err);
int cmd_commit(struct cli *cli, const struct args *args, struct error *err);
int cmd_revert(struct cli *cli, const struct args *args, struct error *err);
int cmd_hold(struct cli *cli, const struct args *args, struct error *err);
int cmd_release(struct cli *cli, const struct args *args, struct error *err);
int cmd_snapshot(struct cli *cli, const struct args *args, struct error *err);
int cmd_reboot(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_plan(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_apply(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_list(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_watch(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_pause(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_resume(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_abort(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_retry(struct cli *cli, const struct args *args, struct error *err);
int cmd_rollout_rollback(struct cli *cli, const struct args *args, struct error *err);
int cmd_approval_list(struct cli *cli, const struct args *args, struct error *err);
int cmd_approval_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_approval_approve(struct cli *cli, const struct args *args, struct error *err);
int cmd_approval_reject(struct cli *cli, const struct args *args, struct error *err);
int cmd_approval_withdraw(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_plan(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_request(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_approve(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_cancel(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_status(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_execute(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_attest(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_certificate(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_sign(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_publish(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_verify(struct cli *cli, const struct args *args, struct error *err);
int cmd_retire_witness(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_lint(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_test(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_check(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_publish(struct cli *cli, const struct args *args, struct error *err);
int cmd_firmware_import(struct cli *cli, const struct args *args, struct error *err);
int cmd_firmware_list(struct cli *cli, const struct args *args, struct error *err);
int cmd_firmware_matrix(struct cli *cli, const struct args *args, struct error *err);
int cmd_firmware_assign(struct cli *cli, const struct args *args, struct error *err);
int cmd_firmware_status(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_waive(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_unwaive(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_status(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_findings(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_history(struct cli *cli, const struct args *args, struct error *err);
int cmd_policy_fix(struct cli *cli, const struct args *args, struct error *err);
int cmd_baseline_set(struct cli *cli, const struct args *args, struct error *err);
int cmd_baseline_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_baseline_clear(struct cli *cli, const struct args *args, struct error *err);
int cmd_baseline_diff(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_show(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_export(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_card(struct cli *cli, const struct args *args, struct error *err);
int cmd_enlist(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_edit(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_check(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_sign(struct cli *cli, const struct args *args, struct error *err);
int cmd_root_publish(struct cli *cli, const struct args *args, struct error *err);
int cmd_key_rewrap(struct cli *cli, const struct args *args, struct error *err);
int cmd_key_drill(struct cli *cli, const struct args *args, struct error *err);
int cmd_key_exposed(struct cli *cli, const struct args *args, struct error *err);
int cmd_keyring_export(struct cli *cli, const struct args *args, struct error *err);
int cmd_report(struct cli *cli, const struct args *args, struct error *err);
int cmd_import(struct cli *cli, const struct args *args, struct error *err);
int cmd_help(struct cli *cli, const struct args *args, struct error *err);
int cmd_completion(struct cli *cli, const struct args *args, struct error *err);
int cmd_version(struct cli *cli, const struct args *args, struct error *err);
