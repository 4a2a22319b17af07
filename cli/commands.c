/* cli/commands.c -- the one table of commands, and how one is found. */
#include "cli/commands.h"

#include "cli/attest.h"
#include "cli/carry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 63, ANY = ARGS_MAX };

const struct option_def global_options[] = {
	{ "home", 0, "DIR", "the operator's folder (default $HOLDFAST_HOME, then ~/.config/holdfast)", false },
	{ "json", 0, NULL, "one JSON document on standard output", false },
	{ "help", 'h', NULL, "what this command does", false },
	{ 0 },
};

static const struct option_def init_options[] = {
	{ "setup", 0, "FILE|-", "the setup string that holdfastd init gave", false },
	{ "name", 0, "NAME", "what the fleet is called", false },
	{ "person", 0, "NAME", "who you are", false },
	{ "key", 0, "FILE", "your SSH signing key (ed25519, a FIDO one, or the .pub of one in ssh-agent); made anew otherwise", false },
	{ "no-passphrase", 0, NULL, "make the keys without asking for passphrases", false },
	{ 0 },
};
static const struct option_def invite_options[] = {
	{ "name", 0, "NAME", "what the device will be called", false },
	{ "label", 0, "KEY:VALUE", "a label of the device", true },
	{ "expires", 0, "DURATION", "how long it may be used (default 2d)", false },
	{ "output", 'o', "FILE", "where the invite string goes (0600); standard output otherwise", false },
	{ 0 },
};
static const struct option_def admit_options[] = {
	{ "all", 0, NULL, "everybody who waits", false },
	{ "device", 0, "ID", "which one is meant, when two answered one invite", false },
	{ 0 },
};
static const struct option_def status_options[] = {
	{ "late", 0, "DURATION", "no contact for longer than this is late (default 6h)", false },
	{ "check", 0, NULL, "exit 1 when anything needs you", false },
	{ 0 },
};
static const struct option_def log_options[] = {
	{ "limit", 0, "N", "how many revisions (default 20)", false },
	{ 0 },
};
static const struct option_def diff_options[] = {
	{ "reveal", 0, NULL, "show the secrets", false },
	{ 0 },
};
static const struct option_def cat_options[] = {
	{ "startup", 0, NULL, "the startup configuration instead of the running one", false },
	{ "reveal", 0, NULL, "put the secrets back", false },
	{ 0 },
};
static const struct option_def export_options[] = {
	{ "output", 'o', "FILE", "where it goes; standard output otherwise", false },
	{ "devices", 0, NULL, "the devices' keys as well, from the server, each verified", false },
	{ "succession", 0, NULL, "the roots themselves, one behind the other, for holdfast retire verify", false },
	{ "mirror", 0, "REPO.git", "the devices' keys as well, from a clone of the archive, offline", false },
	{ 0 },
};
static const struct option_def audit_options[] = {
	{ "output", 'o', "FILE", "where proof of a contradiction goes, for others to verify", false },
	{ 0 },
};
static const struct option_def witness_init_options[] = {
	{ "name", 0, "NAME", "what the root calls this witness", false },
	{ 0 },
};
static const struct option_def witness_run_options[] = {
	{ "every", 0, "DURATION", "how often it looks (default 60s)", false },
	{ 0 },
};
static const struct option_def card_options[] = {
	{ "output", 'o', "FILE", "where it goes; standard output otherwise", false },
	{ 0 },
};
static const struct option_def enlist_options[] = {
	{ "person", 0, "NAME", "who you are", false },
	{ "key", 0, "FILE", "your SSH signing key (ed25519, a FIDO one, or the .pub of one in ssh-agent); made anew otherwise", false },
	{ "no-passphrase", 0, NULL, "make the keys without asking for passphrases", false },
	{ "output", 'o', "FILE", "where the request goes; standard output otherwise", false },
	{ 0 },
};
static const struct option_def edit_options[] = {
	{ "add-person", 0, "REQUEST", "take the person in who made this file with enlist", true },
	{ "role", 0, "ROLE", "a role of the --add-person before it: root, admin, reader, auditor, deployer, retirer", true },
	{ "remove-person", 0, "NAME", "with all keys and roles", true },
	{ "grant", 0, "NAME=ROLE", "one more role", true },
	{ "revoke", 0, "NAME=ROLE", "one role less", true },
	{ "threshold", 0, "KIND=N", "how many people a root, an apply, ... takes; KIND=default as if nothing was said", true },
	{ "separate", 0, "KIND", "do not count the author of such a change among those who approve it", true },
	{ "no-separate", 0, "KIND", "count the author again", true },
	{ "delay", 0, "KIND=S", "seconds in which one person can stop a factory-reset or purge; KIND=default: 600", true },
	{ "pin", 0, "KIND", "take signatures for it only by tokens that asked for their PIN", true },
	{ "no-pin", 0, "KIND", "take others again", true },
	{ "metadata", 0, "LEVEL", "what devices say in the clear of what policies found: minimal, counts, sections; default: counts",
	  false },
	{ "add-key", 0, "NAME=FILE", "one more signing key, from its .pub", true },
	{ "remove-key", 0, "NAME=SHA256:...", "one signing key less, as root show names it", true },
	{ "add-reading-key", 0, "NAME=age1...", "one more reading key", true },
	{ "remove-reading-key", 0, "NAME=age1...", "one reading key less", true },
	{ "archive-key", 0, "FILE", "all archive keys, in place of those now", true },
	{ "witness", 0, "NAME=FILE", "all witnesses, in place of those now", true },
	{ "tls-pin", 0, "BASE64", "all TLS pins, in place of those now", true },
	{ "server", 0, "HOST:PORT", "all addresses, in place of those now; the first is asked first", true },
	{ "expires", 0, "DURATION", "how long the root is good from now on (default 365d)", false },
	{ "output", 'o', "FILE", "where the text goes; standard output otherwise", false },
	{ "publish", 0, NULL, "sign and publish it at once, where one person is enough", false },
	{ "yes", 0, NULL, "sign without asking", false },
	{ 0 },
};
static const struct option_def sign_options[] = {
	{ "yes", 0, NULL, "sign without asking", false },
	{ 0 },
};

static const struct option_def order_options[] = { CARRY_OPTIONS, { 0 } };
static const struct option_def restore_options[] = {
	{ "confirm", 0, "DURATION", "within which it must have proved healthy, or it returns (10s to 1h)", false },
	{ "probe", 0, "PROBE", "what must hold then: 'ping ADDRESS', 'tcp HOST:PORT', 'show COMMAND =~ PATTERN'", true },
	{ "management", 0, "ADDRESS", "say whether the way to this address is touched", false },
	CARRY_OPTIONS,
	{ 0 },
};
static const struct option_def firmware_import_options[] = {
	{ "driver", 0, "DRIVER", "whose devices it is for", false },
	{ "version", 0, "VERSION", "that it makes a device run", false },
	{ "part", 0, "PART", "system (default), boot or bundle", false },
	{ "model", 0, "MODEL", "for this model only; may be said more than once", true },
	{ "minimum", 0, "VERSION", "what a device must run to take it, or newer", false },
	{ "downgrade", 0, "WORD", "devices may go back to it, and that keeps or loses their configuration", false },
	{ "note", 0, "TEXT", "what else people should know", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def firmware_assign_options[] = {
	{ "part", 0, "PART", "when there are several of this version", false },
	{ "waves", 0, "LIST", "as 1,10%,rest (the default: 1,rest)", false },
	{ "soak", 0, "DURATION", "how long to wait between waves", false },
	{ "window", 0, "WINDOW", "when, as 'sat,sun 22:00-04:00' (UTC); may be said more than once", true },
	{ "fail-limit", 0, "N", "how many may fail before it stops (default 0)", false },
	{ "begin", 0, "DURATION", "not before so long from now", false },
	{ "expires", 0, "DURATION", "how long it is good for after that (default 7d)", false },
	{ "confirm", 0, "DURATION", "within which it must have proved well after each restart, or it returns (10s to 1h)", false },
	{ "settle", 0, "DURATION", "how long it must stay well", false },
	{ "probe", 0, "PROBE", "what must hold then: 'ping ADDRESS', 'tcp HOST:PORT', 'show COMMAND =~ PATTERN'", true },
	CARRY_OPTIONS,
	{ 0 },
};
static const struct option_def plan_options[] = {
	{ "output", 'o', "PLAN", "where the plan goes (0600), to be applied", false },
	{ 0 },
};
static const struct option_def apply_options[] = {
	{ "watch", 0, NULL, "follow it until it is over", false },
	{ "timeout", 0, "DURATION", "with --watch: how long at most", false },
	{ 0 },
};
static const struct option_def batches_options[] = {
	{ "state", 0, "STATE", "only these: collecting, waiting, running, paused, stopped, aborted, expired, done", false },
	{ "limit", 0, "N", "how many (default 20)", false },
	{ 0 },
};
static const struct option_def show_options[] = {
	{ "failed", 0, NULL, "only the devices that failed", false },
	{ 0 },
};
static const struct option_def watch_options[] = {
	{ "timeout", 0, "DURATION", "how long to watch at most", false },
	{ 0 },
};
static const struct option_def reason_options[] = {
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },
	{ 0 },
};
static const struct option_def retry_options[] = {
	{ "rest", 0, NULL, "also those that never had their turn", false },
	CARRY_OPTIONS,
	{ 0 },
};
static const struct option_def review_options[] = {
	{ "device", 0, "DEVICE", "show the difference of this one only", false },
	{ 0 },
};
static const struct option_def approve_options[] = {
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },
	{ "unread", 0, NULL, "although you cannot open what the devices would get", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def decide_options[] = {
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};

static const struct option_def policy_check_options[] = {
	{ "fix-plan", 0, NULL, "print a plan for holdfast rollout plan, with the remedies of what fails", false },
	{ "summary", 0, NULL, "print how many pass and fail, by rule", false },
	{ 0 },
};

static const struct option_def policy_publish_options[] = {
	{ "pack", 0, "PACK", "a file, or an installed pack: it is added, or takes the place of the one of its name", true },
	{ "without", 0, "NAME", "a pack that goes", true },
	{ "commit", 0, "KEY=VALUE,...",
	  "mode=observe|remind|commit|revert, quiet=S, remind-after=S instead of the agent's settings; default: these again", false },
	{ "exempt", 0, "WINDOW", "in which nothing is saved or returned, as 'mon,tue 06:00-18:00' (UTC); none: no window", true },
	{ "clear", 0, NULL, "begin with nothing, whatever the devices had", false },
	CARRY_OPTIONS,
	{ 0 },
};
static const struct option_def policy_waive_options[] = {
	{ "until", 0, "WHEN", "a day, a time, or a duration: then the rule counts again", false },
	CARRY_OPTIONS,
	{ 0 },
};
static const struct option_def policy_status_options[] = {
	{ "check", 0, NULL, "exit 1 when something fails, is unknown, stale or not said", false },
	{ 0 },
};
static const struct option_def policy_findings_options[] = {
	{ "all", 0, NULL, "also what passes, and what is not applicable", false },
	{ 0 },
};
static const struct option_def policy_history_options[] = {
	{ "limit", 0, "N", "how many verdicts of each device are looked at (default 100)", false },
	{ 0 },
};
static const struct option_def policy_fix_options[] = {
	{ "set", 0, "NAME=VALUE", "a value that a remedy has a place for", true },
	{ "set-file", 0, "NAME=FILE", "the same, a secret: the line of a file that is yours alone (0600)", true },
	{ "level", 0, "LEVEL", "of a whole pack: fundamental, or all (default)", false },
	{ "except", 0, "RULE", "of a whole pack: not this one", true },
	{ "confirm", 0, "DURATION", "within which it must have proved healthy, or it returns (10s to 1h)", false },
	{ "probe", 0, "PROBE", "what must hold then: 'ping ADDRESS', 'tcp HOST:PORT', 'show COMMAND =~ PATTERN'", true },
	{ "management", 0, "ADDRESS", "say whether the way to this address is touched", false },
	CARRY_OPTIONS,
	{ 0 },
};

#define RETIRE_OPTIONS                                                                                                     \
	{ "method", 0, "METHOD", "factory-reset, purge, or lost for a device that is gone", false },                       \
	{ "hold", 0, "DURATION", "how long the archive is kept before it is shredded (default 30d; 0: not)", false },      \
	{ "hold-until", 0, "TIME", "the same as a day or a time (UTC)", false },                                           \
	{ "expires", 0, "DURATION", "within which it must have begun (default 3d, at most 7d)", false }
static const struct option_def retire_plan_options[] = { RETIRE_OPTIONS, { 0 } };
static const struct option_def retire_request_options[] = {
	RETIRE_OPTIONS,
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },
	{ "ticket", 0, "TEXT", "the ticket that it belongs to", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def retire_approve_options[] = {
	{ "compare", 0, "CHARACTERS", "what was read out to you: refuse if it is not what is here", false },
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def retire_certificate_options[] = {
	{ "output", 'o', "FILE", "where the draft goes, to be signed; of a certified device: the file that proves it", false },
	{ "html", 0, "FILE", "one page to print", false },
	{ "manufacturer", 0, "TEXT", "who made the device", false },
	{ "asset", 0, "TEXT", "its number in your books", false },
	{ "place", 0, "TEXT", "where it was done", false },
	{ "destination", 0, "TEXT", "where the device goes", false },
	{ "limit", 0, "TEXT", "what else the certificate does not say", true },
	{ 0 },
};
static const struct option_def exposed_options[] = {
	{ "secrets", 0, NULL, "line by line: which secrets in force they could read; exit 1 while there are any", false },
	{ 0 },
};
static const struct option_def retire_verify_options[] = {
	{ "fleet", 0, "ID", "the fleet's id, which you know", false },
	{ "roots", 0, "FILE", "its roots, as root export --succession wrote them", false },
	{ "html", 0, "FILE", "one page to print", false },
	{ 0 },
};
static const struct option_def retire_attest_options[] = { ATTEST_OPTIONS, { 0 } };
static const struct option_def retire_execute_options[] = {
	ATTEST_OPTIONS,
	{ "timeout", 0, "DURATION", "how long to watch at most", false },
	{ 0 },
};

static const struct option_def report_options[] = {
	{ "output", 'o', "FILE", "where to write it (.tar.gz, or an age file with --to)", false },
	{ "to", 0, "RECIPIENT", "seal it to this age recipient", true },
	{ "without", 0, "PART", "leave out: configuration, log, receipts, or name (with the serial number)", true },
	{ "show", 0, NULL, "print all that it holds", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def advisory_import_options[] = {
	{ "checksum", 0, NULL, "refuse what has no .sha256 or .sha512 beside it", false },
	{ "keyring", 0, "FILE", "take only what is signed by a key of this OpenPGP keyring (gpgv)", false },
	{ "signature", 0, "FILE", "the signature of the one file; otherwise FILE.asc", false },
	{ "ca", 0, "FILE", "of addresses: trust these certificate authorities (PEM), and not the system's", false },
	{ "again", 0, NULL, "of addresses: also what was taken before", false },
	{ 0 },
};
static const struct option_def advisory_list_options[] = {
	{ "unclear", 0, NULL, "only those that say something that was not understood", false },
	{ 0 },
};
static const struct option_def advisory_match_options[] = {
	{ "advisory", 0, "ID", "this one only", false },
	{ "facts", 0, "FILE", "devices and what is known of them from a file; no server is asked", false },
	{ "features", 0, "PACK", "open configurations and see by this pack which features are in use, as weos-features", true },
	{ "all", 0, NULL, "show what is not affected as well", false },
	{ "check", 0, NULL, "exit 1 when anything is affected or unknown", false },
	{ "max-age", 0, "LIMITS", "exit 1 when anything is affected or unknown for longer: 30d, or critical=7d,high=30d", false },
	{ 0 },
};
static const struct option_def advisory_ack_options[] = {
	{ "verdict", 0, "VERDICT", "affected, not-affected, mitigated, accepted, or requires", false },
	{ "feature", 0, "NAME", "with requires: it concerns only devices that use this", false },
	{ "reason", 0, "TEXT", "why", false },
	{ "until", 0, "TIME", "when it ends: a day, a time (UTC), or a duration from now", false },
	{ "ticket", 0, "TEXT", "the ticket that it belongs to", false },
	{ "no-document", 0, NULL, "give the archive the document's hash alone", false },
	{ "yes", 'y', NULL, "do not ask", false },
	{ 0 },
};
static const struct option_def advisory_document_options[] = {
	{ "output", 'o', "FILE", "write it to this file instead of standard output", false },
	{ 0 },
};

const struct command commands[] = {
	{ "init", NULL, "--setup FILE|- --name FLEET --person NAME [--key FILE] [--no-passphrase]",
	  "make your keys and the first root, and claim a server with them", 0, 0, cmd_init, init_options },
	{ "invite", NULL, "--name DEVICE [--label KEY:VALUE]... [--expires 2d] [-o FILE]", "make the string that lets one device join", 0,
	  0, cmd_invite, invite_options },
	{ "device", "admit", "SELECTOR... | --all | --device ID", "admit devices that answered an invite", 0, ANY, cmd_device_admit,
	  admit_options },
	{ "device", "list", "[SELECTOR...]", "list devices", 0, ANY, cmd_device_list, NULL },
	{ "device", "show", "DEVICE", "show all that is known of one device", 1, 1, cmd_device_show, NULL },
	{ "device", "replace", "OLD[@N] NEW [--reason TEXT]", "give a spare the name, the labels and the last configuration of a device", 2,
	  2, cmd_device_replace, order_options },
	{ "status", NULL, "[SELECTOR...] [--late 6h] [--check]", "what needs you now", 0, ANY, cmd_status, status_options },
	{ "log", NULL, "DEVICE [--limit N]", "the revisions of one device", 1, 1, cmd_log, log_options },
	{ "diff", NULL, "DEVICE[@N] [DEVICE[@N]] [--reveal]", "compare startup with running, a revision with the newest, or any two", 1, 2,
	  cmd_diff, diff_options },
	{ "cat", NULL, "DEVICE[@N] [--startup] [--reveal]", "print a configuration", 1, 1, cmd_cat, cat_options },
	{ "restore", NULL, "DEVICE@N --reason TEXT [--confirm 5m] [--probe PROBE]...", "bring an archived configuration back to its device",
	  1, 1, cmd_restore, restore_options },
	{ "commit", NULL, "SELECTOR... --reason TEXT", "save what runs as what will boot", 1, ANY, cmd_commit, order_options },
	{ "revert", NULL, "SELECTOR... --reason TEXT", "return running to what was saved", 1, ANY, cmd_revert, order_options },
	{ "hold", NULL, "SELECTOR... DURATION --reason TEXT", "keep agents from saving or returning unsaved changes", 2, ANY, cmd_hold,
	  order_options },
	{ "release", NULL, "SELECTOR...", "end a hold", 1, ANY, cmd_release, order_options },
	{ "snapshot", NULL, "SELECTOR...", "have snapshots made now", 1, ANY, cmd_snapshot, order_options },
	{ "reboot", NULL, "SELECTOR... --reason TEXT", "restart devices", 1, ANY, cmd_reboot, order_options },
	{ "firmware", "import", "IMAGE --driver DRIVER --version VERSION [--model MODEL]...",
	  "sign what an image is, and bring it to the server", 1, 1, cmd_firmware_import, firmware_import_options },
	{ "firmware", "list", "", "list images: who signed them, for which devices", 0, 0, cmd_firmware_list, NULL },
	{ "firmware", "matrix", "[SELECTOR...]", "count who runs what, by model", 0, ANY, cmd_firmware_matrix, NULL },
	{ "firmware", "assign", "VERSION SELECTOR... [--waves LIST] [--window WINDOW]...",
	  "give devices firmware, in waves, with a way back", 2, ANY, cmd_firmware_assign, firmware_assign_options },
	{ "firmware", "status", "[BATCH]", "show what became of it, device by device", 0, 1, cmd_firmware_status, NULL },
	{ "rollout", "plan", "FILE [-o PLAN]", "render and show what a plan would change; exit 1 when it would", 1, 1, cmd_rollout_plan,
	  plan_options },
	{ "rollout", "apply", "PLAN [--watch]", "sign a plan once, and post it", 1, 1, cmd_rollout_apply, apply_options },
	{ "rollout", "list", "[--state STATE] [--limit N]", "list batches of orders", 0, 0, cmd_rollout_list, batches_options },
	{ "rollout", "show", "BATCH [--failed]", "show how a batch stands, device by device", 1, 1, cmd_rollout_show, show_options },
	{ "rollout", "watch", "BATCH [--timeout 1h]", "follow a batch until it is over", 1, 1, cmd_rollout_watch, watch_options },
	{ "rollout", "pause", "BATCH [--reason TEXT]", "release no more orders for now", 1, 1, cmd_rollout_pause, reason_options },
	{ "rollout", "resume", "BATCH --reason TEXT", "let a paused batch go on", 1, 1, cmd_rollout_resume, reason_options },
	{ "rollout", "abort", "BATCH [--reason TEXT]", "release no more orders, for good", 1, 1, cmd_rollout_abort, reason_options },
	{ "rollout", "retry", "BATCH [--rest]", "order again what failed, from what the devices run now", 1, 1, cmd_rollout_retry,
	  retry_options },
	{ "rollout", "rollback", "BATCH", "return every device that was done to what it ran before", 1, 1, cmd_rollout_rollback,
	  order_options },
	{ "approval", "list", "", "list batches that wait for people", 0, 0, cmd_approval_list, NULL },
	{ "approval", "show", "BATCH [--device DEVICE]", "verify a batch, and show what it would change, with your own key", 1, 1,
	  cmd_approval_show, review_options },
	{ "approval", "approve", "BATCH [--yes]", "verify a batch, and agree to it", 1, 1, cmd_approval_approve, approve_options },
	{ "approval", "reject", "BATCH --reason TEXT [--yes]", "stand in its way", 1, 1, cmd_approval_reject, decide_options },
	{ "approval", "withdraw", "BATCH [--yes]", "take back what you said of a batch", 1, 1, cmd_approval_withdraw, decide_options },
	{ "retire", "plan", "DEVICE [--method METHOD] [--hold 30d]",
	  "show how a device would leave, step by step; exit 1 when something is in the way", 1, 1, cmd_retire_plan, retire_plan_options },
	{ "retire", "request", "DEVICE --method METHOD --reason TEXT [--hold 30d]",
	  "ask to erase a device, and to shred its archive behind that", 1, 1, cmd_retire_request, retire_request_options },
	{ "retire", "approve", "DEVICE [--compare CHARACTERS]", "verify what is asked for, and agree to it", 1, 1, cmd_retire_approve,
	  retire_approve_options },
	{ "retire", "cancel", "DEVICE [--reason TEXT]", "stop what can still be stopped", 1, 1, cmd_retire_cancel, reason_options },
	{ "retire", "status", "[DEVICE]", "where a retirement stands, computed from what was signed", 0, 1, cmd_retire_status, NULL },
	{ "retire", "execute", "DEVICE [--timeout 1h]", "follow a retirement to where a person is needed, and do what is yours", 1, 1,
	  cmd_retire_execute, retire_execute_options },
	{ "retire", "attest", "DEVICE [--copy TEXT]...", "say that you kept nothing that opens a shredded device", 1, 1, cmd_retire_attest,
	  retire_attest_options },
	{ "retire", "certificate", "DEVICE [-o FILE] [--html FILE]",
	  "draft the certificate of a device that is gone; once it is certified, prove it", 1, 1, cmd_retire_certificate,
	  retire_certificate_options },
	{ "retire", "sign", "FILE [--yes]", "draft a certificate again, compare, and sign it", 1, 1, cmd_retire_sign, sign_options },
	{ "retire", "publish", "FILE...", "archive a certificate that enough people signed, in one file or in copies of it", 1, ANY,
	  cmd_retire_publish, NULL },
	{ "retire", "verify", "FILE [--fleet ID | --roots FILE]", "verify the proof of a retirement, offline", 1, 1, cmd_retire_verify,
	  retire_verify_options },
	{ "retire", "witness", "DEVICE --reason TEXT", "say what you saw on site", 1, 1, cmd_retire_witness, reason_options },
	{ "policy", "check", "PACK SELECTOR[@TIME]...|DEVICE@NUMBER... [--summary|--fix-plan]",
	  "hold rules against archived configurations; exit 1 when one fails, or cannot be told", 2, ANY, cmd_policy_check,
	  policy_check_options },
	{ "policy", "findings", "DEVICE[@N] [--all]",
	  "open what a device's newest verdict, or verdict N, found; exit 1 when something fails", 1, 1, cmd_policy_findings,
	  policy_findings_options },
	{ "policy", "fix", "PACK[/RULE] SELECTOR... [--set NAME=VALUE]...",
	  "put right what a rule finds wrong, by its remedy; done when the device itself says that it passes", 2, ANY, cmd_policy_fix,
	  policy_fix_options },
	{ "policy", "history", "PACK/RULE [SELECTOR...]", "what devices said of a rule over time", 1, ANY, cmd_policy_history,
	  policy_history_options },
	{ "policy", "lint", "FILE...", "say whether packs of rules are well formed, and where not; exit 1 when one is not", 1, ANY,
	  cmd_policy_lint, NULL },
	{ "policy", "publish", "SELECTOR... [--pack PACK]... [--commit KEY=VALUE,...] [--exempt WINDOW]...",
	  "give devices the rules that they judge themselves by, and what they do about unsaved changes", 1, ANY, cmd_policy_publish,
	  policy_publish_options },
	{ "policy", "show", "PACK [RULE]", "list the rules of a pack, or explain one", 1, 2, cmd_policy_show, NULL },
	{ "policy", "test", "PACK", "try a pack on the examples beside it; exit 1 when a verdict is another one", 1, 1, cmd_policy_test,
	  NULL },
	{ "policy", "status", "[SELECTOR...] [--check]", "what devices say of themselves: signed verdicts, and which of them are stale", 0,
	  ANY, cmd_policy_status, policy_status_options },
	{ "policy", "unwaive", "PACK/RULE SELECTOR...", "take a waiver away: the rule counts again", 2, ANY, cmd_policy_unwaive,
	  order_options },
	{ "policy", "waive", "PACK/RULE SELECTOR... --until WHEN --reason TEXT", "answer for a rule that does not hold, until a day", 2,
	  ANY, cmd_policy_waive, policy_waive_options },
	{ "baseline", "set", "DEVICE@N...", "say what devices should look like; what differs is drift", 1, ANY, cmd_baseline_set,
	  order_options },
	{ "baseline", "show", "[SELECTOR...]", "list baselines, and who drifted", 0, ANY, cmd_baseline_show, NULL },
	{ "baseline", "diff", "DEVICE", "compare what runs with the baseline; exit 1 when it differs", 1, 1, cmd_baseline_diff, NULL },
	{ "baseline", "clear", "SELECTOR...", "forget baselines", 1, ANY, cmd_baseline_clear, order_options },
	{ "audit", NULL, "MIRROR.git [FILE...] | FILE... [-o FILE]",
	  "verify a whole clone of the archive, and checkpoints that others kept, offline", 1, ANY, cmd_audit, audit_options },
	{ "witness", "init", "CARD|FILE|- --name NAME", "make a witness's key and folder, on another machine than the server", 1, 1,
	  cmd_witness_init, witness_init_options },
	{ "witness", "run", "[--every 60s]", "cosign what the server's log becomes, as long as it only grows", 0, 0, cmd_witness_run,
	  witness_run_options },
	{ "witness", "once", "", "look at the server's log once, and cosign it", 0, 0, cmd_witness_once, NULL },
	{ "advisory", "import", "FILE|DIR|URL|-... [--checksum] [--keyring FILE [--signature FILE]] [--ca FILE] [--again]",
	  "take advisories (CSAF, CVE, hand-written) and judgements from files, folders, archives and providers", 1, ANY,
	  cmd_advisory_import, advisory_import_options },
	{ "advisory", "list", "[--unclear]", "list advisories", 0, 0, cmd_advisory_list, advisory_list_options },
	{ "advisory", "show", "ADVISORY", "show what an advisory says, and what was judged", 1, 1, cmd_advisory_show, NULL },
	{ "advisory", "match", "[SELECTOR...] [--advisory ID] [--facts FILE] [--features PACK]... [--max-age LIMITS] [--all] [--check]",
	  "which devices are affected, which are not, and of which nobody knows, with the reason", 0, ANY, cmd_advisory_match,
	  advisory_match_options },
	{ "advisory", "ack", "ADVISORY [SELECTOR...] --verdict VERDICT --reason TEXT [--until TIME]", "sign what you judge of an advisory",
	  1, ANY, cmd_advisory_ack, advisory_ack_options },
	{ "advisory", "document", "ADVISORY|SHA256 [-o FILE]",
	  "write the document that is here or that somebody judged, from the archive if need be", 1, 1, cmd_advisory_document,
	  advisory_document_options },
	{ "advisory", "export", "DIR", "write advisories and judgements for other operators", 1, 1, cmd_advisory_export, NULL },
	{ "root", "show", "", "show people, roles and keys of the fleet", 0, 0, cmd_root_show, NULL },
	{ "root", "export", "[-o FILE] [--devices | --mirror REPO.git | --succession]",
	  "write an allowed_signers file for ssh-keygen and git", 0, 0, cmd_root_export, export_options },
	{ "root", "card", "[-o FILE]", "print the line that shows a further person this fleet", 0, 0, cmd_root_card, card_options },
	{ "enlist", NULL, "CARD|FILE|- --person NAME [--key FILE] [--no-passphrase] [-o FILE]",
	  "make your keys, and the request to be taken into a fleet that is there", 1, 1, cmd_enlist, enlist_options },
	{ "root", "edit", "CHANGE... [-o FILE | --publish [--yes]]", "write the next root: people, roles, keys, thresholds, servers", 0, 0,
	  cmd_root_edit, edit_options },
	{ "root", "check", "FILE...", "show what a next root changes, and who has signed it", 1, ANY, cmd_root_check, NULL },
	{ "root", "sign", "FILE [--yes]", "show what a next root changes, and sign it", 1, 1, cmd_root_sign, sign_options },
	{ "root", "publish", "FILE...", "put a next root in force that enough people signed, in one file or in copies of it", 1, ANY,
	  cmd_root_publish, NULL },
	{ "key", "rewrap", "[SELECTOR...]", "let people who came later read what was recorded before", 0, ANY, cmd_key_rewrap, NULL },
	{ "key", "exposed", "PERSON [SELECTOR...] [--secrets]", "list what a person could read, as a work list", 1, ANY, cmd_key_exposed,
	  exposed_options },
	{ "key", "drill", "FILE|- [SELECTOR...]", "try a reading key that lies in escrow on every device, and show nothing of them", 1, ANY,
	  cmd_key_drill, NULL },
	{ "keyring", "export", "DIR", "write the sealed epoch keys of all devices", 1, 1, cmd_keyring_export, NULL },
	{ "report", NULL, "DEVICE[@N] -o FILE [--to age1...]... [--without PART]... [--show] [--yes]",
	  "write what a vendor needs to know of a device: facts, log, and its configuration without secrets", 1, 1, cmd_report,
	  report_options },
	{ "import", NULL, "FILE|DIR...", "post what holdfast-agent export wrote", 1, ANY, cmd_import, NULL },
	{ "help", NULL, "[COMMAND]", "explain a command", 0, 2, cmd_help, NULL },
	{ "completion", NULL, "bash|zsh|fish", "print a completion script for a shell", 1, 1, cmd_completion, NULL },
	{ "version", NULL, "", "print the version", 0, 0, cmd_version, NULL },
};
const size_t command_count = ARRAY_SIZE(commands);

void command_name(char out[static 64], const struct command *command)
{
	snprintf(out, 64, "%s%s%s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "");
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned command_distance(const char *a, const char *b)
{
	unsigned d[NAME_MAX_LEN + 2][NAME_MAX_LEN + 2];
	size_t n = strlen(a), m = strlen(b);

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

static int unknown(const char *given, struct error *err)
{
	char name[64], best[64] = "";
	unsigned nearest = 3; /* further away is no slip of the finger */

	for (size_t i = 0; i < command_count; i++) {
		command_name(name, &commands[i]);
		if (command_distance(given, name) < nearest) {
			nearest = command_distance(given, name);
			memcpy(best, name, sizeof(best));
		}
	}
	if (*best)
		return error_set(err, CLI_USAGE, "unknown command '%.60s'; did you mean '%s'?", given, best);
	return error_set(err, CLI_USAGE, "unknown command '%.60s'; see: holdfast help", given);
}

int command_find(const struct command **out, int *words, int argc, char **argv, struct error *err)
{
	_cleanup_(mem_freep) char *given = NULL;
	bool is_noun = false;

	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (strcmp(argv[0], c->noun) != 0)
			continue;
		is_noun = true;
		if (c->verb && (argc < 2 || strcmp(argv[1], c->verb) != 0))
			continue;
		*out = c;
		*words = c->verb ? 2 : 1;
		return 0;
	}
	if (is_noun && argc < 2)
		return error_set(err, CLI_USAGE, "'%s' needs a verb; see: holdfast help %s", argv[0], argv[0]);
	given = is_noun ? mem_printf("%s %s", argv[0], argv[1]) : mem_strdup(argv[0]);
	return unknown(given, err);
}
