/* agent/weos-purge.c -- both ways of a WeOS device back to how the factory made it, and those to start one of its images: shapes and
 * states. */
#include "agent/weos-purge.h"

enum shape {
	EXEC,
	CONTEXT,
	LOGIN,
	PASSWORD,
	SURE,
	ERASE,
	MENU,
	MENU_PLACED,
	ENV_OK,
	ENV_FAIL,
	SYSTEM_OK,
	SYSTEM_FAIL,
	SUCCESS,
	RESTART,
	WRONG,
	HINT,
	LOADER,
	BAD,
	BOOT,
	LOGGED
};

#define IN CONSOLE_SET
#define HOST "[A-Za-z0-9_.+:\\[\\]-]+"
#define DOTS " ?\\.* ?"

static const struct console_shape shapes[] = {
	[EXEC] = { CONSOLE_PROMPT, "prompt", HOST ":/#>" },
	[CONTEXT] = { CONSOLE_PROMPT, "prompt-in-a-context", HOST ":(/[^#\\s]+)#>" },
	[LOGIN] = { CONSOLE_QUESTION, "login", "(?:[A-Za-z0-9_.-]+ )?login:" },
	[PASSWORD] = { CONSOLE_QUESTION, "password", "Password:" },
	[SURE] = { CONSOLE_QUESTION, "restart?", ".*\\(y/N\\)\\?" },
	[ERASE] = { CONSOLE_QUESTION, "erase?", ".* y/\\[n\\]" },
	[MENU] = { CONSOLE_REMARK, "boot menu", " *5: System Recovery" },
	[MENU_PLACED] = { CONSOLE_MENU, "boot menu", " *5: System Recovery" },
	[ENV_OK] = { CONSOLE_REMARK, "boot loader's settings erased", "Erasing Barebox configuration" DOTS "\\[ OK \\]" },
	[ENV_FAIL] = { CONSOLE_REMARK, "boot loader's settings not erased", "Erasing Barebox configuration.*" },
	[SYSTEM_OK] = { CONSOLE_REMARK, "configuration erased", "Erasing System configuration" DOTS "\\[ OK \\]" },
	[SYSTEM_FAIL] = { CONSOLE_REMARK, "configuration not erased", "Erasing System configuration.*" },
	[SUCCESS] = { CONSOLE_REMARK, "success", "Device was successfully factory reset\\." },
	[RESTART] = { CONSOLE_REMARK, "restart", "The device will now reboot\\." },
	[WRONG] = { CONSOLE_REMARK, "login refused", "Login incorrect" },
	[HINT] = { CONSOLE_BOOTING, "autoboot", "Hit .* to stop autoboot:.*" },
	[LOADER] = { CONSOLE_BOOTING, "boot loader", "barebox .*" },
	[BAD] = { CONSOLE_REMARK, "image refused", "Failed verifying signature!" },
	[BOOT] = { CONSOLE_BOOTING, "boot", "Loading (?:primary|secondary) partition.*|Starting .*|.*Booting Linux.*" },
	[LOGGED] = { CONSOLE_LOG, "logged",
		     "(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} .*|[a-z0-9_-]+(?:\\[[0-9]+\\])?: .*|\\[ *[0-9.]+\\] .*|<[0-9]{1,3}>.*)" },
};

const struct console_grammar weos_purge_grammar = {
	.name = "WeOS with its boot loader", .shapes = shapes, .shape_count = ARRAY_SIZE(shapes), .enter = "\r", .take_back = "\x15"
};

#define MENUS (IN(MENU) | IN(MENU_PLACED))
#define BOOTS (IN(LOADER) | IN(BOOT))
enum { SHORT_MS = 15000, BOOT_MS = 300000, ERASE_MS = 180000 };

/* Who may be asked to restart or reset it: the agent's own account, or the factory's, when an earlier run came further than it could tell.
 */
#define STATES_LOGIN(then) \
	{ "login", DIALOGUE_WORD, .word = WEOS_PURGE_USER, .timeout_ms = SHORT_MS, .answers = { { IN(PASSWORD), "password" } }, .resume = "look" }, \
	{ "password", DIALOGUE_SECRET, .secret = WEOS_PURGE_PASSWORD, .timeout_ms = SHORT_MS, \
	  .answers = { { IN(EXEC), then }, { IN(WRONG) | IN(LOGIN), "login-anew" } }, .resume = "look" }, \
	{ "login-anew", DIALOGUE_LOOK, .timeout_ms = SHORT_MS, .answers = { { IN(LOGIN), "login-again" } }, .resume = "look" }, \
	{ "login-again", DIALOGUE_LINE, "admin", .timeout_ms = SHORT_MS, .answers = { { IN(PASSWORD), "password-again" } }, .resume = "look" }, \
	{ "password-again", DIALOGUE_SECRET, .secret = WEOS_PURGE_FACTORY_PASSWORD, .timeout_ms = SHORT_MS, \
	  .answers = { { IN(EXEC), then }, { IN(WRONG) | IN(LOGIN), "no-login" } }, .resume = "look" }, \
	{ "drop", DIALOGUE_LINE, "abort", .timeout_ms = SHORT_MS, .answers = { { IN(EXEC), then }, { IN(CONTEXT), "drop" } }, .resume = "look" }, \
	{ "no-login", DIALOGUE_END, .end = DIALOGUE_NOTHING, .says = "the device refuses the password", .resume = "look" }

/* It restarted behind what was seen of the erase: it has to come up as the factory made it. */
#define STATES_VERIFY(before) \
	{ before, DIALOGUE_BOOT, .timeout_ms = BOOT_MS, .answers = { { IN(LOGIN), "factory-login" } }, .resume = "verify" }, \
	{ "verify", DIALOGUE_LOOK, .timeout_ms = BOOT_MS, .answers = { { IN(LOGIN), "factory-login" }, { IN(EXEC), "verify-out" } } }, \
	{ "verify-out", DIALOGUE_LINE, "logout", .timeout_ms = SHORT_MS, .answers = { { IN(LOGIN), "factory-login" } }, .resume = "verify" }, \
	{ "factory-login", DIALOGUE_LINE, "admin", .timeout_ms = SHORT_MS, .answers = { { IN(PASSWORD), "factory-password" } }, .resume = "verify" }, \
	{ "factory-password", DIALOGUE_SECRET, .secret = WEOS_PURGE_FACTORY_PASSWORD, .timeout_ms = SHORT_MS, \
	  .answers = { { IN(EXEC), "done" }, { IN(WRONG) | IN(LOGIN), "not-factory" } }, .resume = "verify" }, \
	{ "not-factory", DIALOGUE_END, .end = DIALOGUE_UNKNOWN, .says = "it said that it was erased, and does not take the factory's password", \
	  .resume = "look" }

/* Up to "confirm" nothing was erased. From there to "success", what was seen of the run is lost with the agent, so it is begun again:
 * erasing twice harms nothing. From "success" on, only the verification is left. */
static const struct dialogue_state purge_states[] = {
	{ "look", DIALOGUE_LOOK, .timeout_ms = BOOT_MS,
	  .answers = { { IN(EXEC), "restart" },
		       { IN(LOGIN), "login" },
		       { IN(CONTEXT), "drop" },
		       { MENUS, "menu" },
		       { IN(ERASE), "confirm" },
		       { IN(HINT), "stop" } } },
	STATES_LOGIN("restart"),
	{ "restart", DIALOGUE_LINE, "reboot", .timeout_ms = SHORT_MS,
	  .answers = { { IN(SURE), "restart-sure" }, { IN(HINT) | BOOTS, "stop" } }, .resume = "look" },
	{ "restart-sure", DIALOGUE_PICK, "y", .timeout_ms = BOOT_MS, .answers = { { IN(HINT) | BOOTS, "stop" } }, .resume = "look" },
	{ "stop", DIALOGUE_STOP, "\x03", .when = IN(HINT), .timeout_ms = BOOT_MS, .answers = { { MENUS, "menu" } }, .resume = "look" },
	{ "menu", DIALOGUE_PICK, "4", .timeout_ms = SHORT_MS, .answers = { { IN(ERASE), "confirm" } }, .resume = "look" },
	{ WEOS_PURGE_POINT, DIALOGUE_PICK, "y", .timeout_ms = ERASE_MS,
	  .answers = { { IN(ENV_OK), "erased-settings" }, { IN(ENV_FAIL), "half" }, { MENUS, "refused" } }, .resume = "look" },
	{ "erased-settings", DIALOGUE_LISTEN, .timeout_ms = ERASE_MS,
	  .answers = { { IN(SYSTEM_OK), "erased-configuration" }, { IN(SYSTEM_FAIL) | BOOTS | IN(HINT) | IN(LOGIN) | MENUS, "half" } },
	  .late = "half", .resume = "look" },
	{ "erased-configuration", DIALOGUE_LISTEN, .timeout_ms = SHORT_MS,
	  .answers = { { IN(SUCCESS), "success" }, { BOOTS | IN(HINT) | IN(LOGIN) | MENUS, "half" } }, .late = "half", .resume = "look" },
	STATES_VERIFY("success"),
	{ "done", DIALOGUE_END, .end = DIALOGUE_DONE, .says = "erased by the boot loader, and it came up as the factory made it",
	  .resume = "verify" },
	{ "refused", DIALOGUE_END, .end = DIALOGUE_NOTHING, .says = "the boot loader did not take the confirmation", .resume = "look" },
	{ "half", DIALOGUE_END, .end = DIALOGUE_UNKNOWN, .says = "not everything was seen to be erased: run it again", .resume = "look" },
};

const struct dialogue weos_purge = { "purge by the boot loader", purge_states, ARRAY_SIZE(purge_states) };

/* What was said after the y may have been lost with the agent, so up to "restarting" it is begun again. */
static const struct dialogue_state reset_states[] = {
	{ "look", DIALOGUE_LOOK, .timeout_ms = BOOT_MS,
	  .answers = { { IN(EXEC), "reset" }, { IN(LOGIN), "login" }, { IN(CONTEXT), "drop" } } },
	STATES_LOGIN("reset"),
	{ "reset", DIALOGUE_LINE, "factory-reset", .timeout_ms = SHORT_MS,
	  .answers = { { IN(SURE), WEOS_RESET_POINT }, { IN(EXEC), "refused" } }, .resume = "look" },
	{ WEOS_RESET_POINT, DIALOGUE_PICK, "y", .timeout_ms = ERASE_MS,
	  .answers = { { IN(HINT) | BOOTS, "restarting" }, { IN(EXEC) | IN(CONTEXT), "refused" }, { IN(LOGIN), "half" } }, .late = "half",
	  .resume = "look" },
	STATES_VERIFY("restarting"),
	{ "done", DIALOGUE_END, .end = DIALOGUE_DONE, .says = "reset by its command line, and it came up as the factory made it",
	  .resume = "verify" },
	{ "refused", DIALOGUE_END, .end = DIALOGUE_NOTHING, .says = "the device did not take the command", .resume = "look" },
	{ "half", DIALOGUE_END, .end = DIALOGUE_UNKNOWN, .says = "it was told to reset itself, and was not seen to restart: run it again",
	  .resume = "look" },
};

const struct dialogue weos_reset = { "factory reset by the command line", reset_states, ARRAY_SIZE(reset_states) };

/* Into one image, by the boot loader's menu. What was said before may have been heard or not, so after any cut it looks again. */
#define STATES_START(digit) \
	{ "look", DIALOGUE_LOOK, .timeout_ms = BOOT_MS, \
	  .answers = { { IN(EXEC), "restart" }, { IN(LOGIN), "login" }, { IN(CONTEXT), "drop" }, { MENUS, "menu" }, { IN(HINT), "stop" } } }, \
	STATES_LOGIN("restart"), \
	{ "restart", DIALOGUE_LINE, "reboot", .timeout_ms = SHORT_MS, \
	  .answers = { { IN(SURE), "restart-sure" }, { IN(HINT) | BOOTS, "stop" } }, .resume = "look" }, \
	{ "restart-sure", DIALOGUE_PICK, "y", .timeout_ms = BOOT_MS, .answers = { { IN(HINT) | BOOTS, "stop" } }, .resume = "look" }, \
	{ "stop", DIALOGUE_STOP, "\x03", .when = IN(HINT), .timeout_ms = BOOT_MS, .answers = { { MENUS, "menu" } }, .resume = "look" }, \
	{ "menu", DIALOGUE_PICK, digit, .timeout_ms = SHORT_MS, .answers = { { IN(BOOT), "coming" }, { IN(BAD), "bad" } }, .resume = "look" }, \
	{ "coming", DIALOGUE_BOOT, .timeout_ms = BOOT_MS, \
	  .answers = { { IN(LOGIN), "done" }, { IN(BAD) | MENUS, "bad" }, { IN(LOADER) | IN(HINT), "again" } }, .resume = "look" }, \
	{ "done", DIALOGUE_END, .end = DIALOGUE_DONE, .says = "started", .resume = "look" }, \
	{ "bad", DIALOGUE_END, .end = DIALOGUE_NOTHING, .says = "the boot loader refuses the image", .resume = "look" }, \
	{ "again", DIALOGUE_END, .end = DIALOGUE_UNKNOWN, .says = "it restarted by itself while the image started", .resume = "look" }

static const struct dialogue_state first_states[] = { STATES_START("1") };
static const struct dialogue_state second_states[] = { STATES_START("2") };

const struct dialogue weos_start_first = { "start of the primary image", first_states, ARRAY_SIZE(first_states) };
const struct dialogue weos_start_second = { "start of the secondary image", second_states, ARRAY_SIZE(second_states) };

/* As it starts by itself: nothing is typed while it does. */
static const struct dialogue_state restart_states[] = {
	{ "look", DIALOGUE_LOOK, .timeout_ms = BOOT_MS,
	  .answers = { { IN(EXEC), "restart" }, { IN(LOGIN), "login" }, { IN(CONTEXT), "drop" }, { MENUS, "menu" } } },
	STATES_LOGIN("restart"),
	{ "restart", DIALOGUE_LINE, "reboot", .timeout_ms = SHORT_MS,
	  .answers = { { IN(SURE), "restart-sure" }, { IN(HINT) | BOOTS, "coming" } }, .resume = "look" },
	{ "restart-sure", DIALOGUE_PICK, "y", .timeout_ms = BOOT_MS, .answers = { { IN(HINT) | BOOTS, "coming" } }, .resume = "look" },
	{ "menu", DIALOGUE_PICK, "1", .timeout_ms = SHORT_MS, .answers = { { IN(BOOT), "coming" }, { IN(BAD), "bad" } }, .resume = "look" },
	{ "coming", DIALOGUE_BOOT, .timeout_ms = BOOT_MS, .answers = { { IN(LOGIN), "done" }, { MENUS, "bad" } }, .resume = "look" },
	{ "done", DIALOGUE_END, .end = DIALOGUE_DONE, .says = "started", .resume = "look" },
	{ "bad", DIALOGUE_END, .end = DIALOGUE_NOTHING, .says = "the boot loader starts no image by itself", .resume = "look" },
};

const struct dialogue weos_restart = { "restart", restart_states, ARRAY_SIZE(restart_states) };
