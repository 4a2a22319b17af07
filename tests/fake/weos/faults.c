/* tests/fake/weos/faults.c -- what can go wrong on demand, by name. */
#include "tests/fake/weos/faults.h"

#include <string.h>

const struct fault_info faults[FAULT_COUNT] = {
	[FAULT_LOG_LINES] = { "log-lines", false,
			      "log lines break into the middle of an answer and stand before the prompt that follows it" },
	[FAULT_PAGER] = { "pager", false, "'batch' has no effect: long answers come in pages" },
	[FAULT_LEFT_IN_CONFIG] = { "left-in-config", true, "somebody left the console in /config/system with an edit that is not applied" },
	[FAULT_LEFT_LOGGED_IN] = { "left-logged-in", true, "somebody left the console at the prompt, logged in" },
	[FAULT_FLASH_FULL] = { "flash-full", false, "the flash has no room: 'copy run start' says so and saves nothing" },
	[FAULT_UPPER_CASE_Y] = { "upper-case-y", false, "a 'y' typed in the boot menu arrives as 'Y', as with caps lock" },
	[FAULT_POWER_CUT_ERASE] = { "power-cut-erase", true, "power is lost between the two erase lines" },
	[FAULT_PRIMARY_CORRUPT] = { "primary-corrupt", false, "bits of the primary image are turned over: the backup boots" },
	[FAULT_BOOT_ORDER_MISSING] = { "boot-order-missing", false,
				       "the boot order names a medium that is not there: factory-config boots" },
	[FAULT_ENCRYPT_PASSWORD_UNSAVED] = { "encrypt-password-unsaved", true,
					     "the encryption password was changed and running not saved since" },
	[FAULT_BOOT_INTEGRITY] = { "boot-integrity", false, "the boot loader's environment was tampered with: alarm, no boot changes" },
	[FAULT_LOST_INPUT] = { "lost-input", false, "the first three characters after two quiet seconds are lost" },
	[FAULT_LOST_ECHO] = { "lost-echo", true, "one line is taken but a part of its echo is lost" },
	[FAULT_FAKE_PROMPT] = { "fake-prompt", false, "an answer has a line in it that looks like a prompt, and then a pause" },
	[FAULT_SLOW] = { "slow", false, "each answer takes two seconds and pauses in the middle" },
	[FAULT_HANG] = { "hang", false, "commands are echoed and never answered" },
	[FAULT_DROP] = { "drop", true, "the connection is dropped in the middle of the next answer" },
	[FAULT_REBOOT] = { "reboot", true, "the device restarts by itself in the middle of the next answer" },
	[FAULT_HOST_NAME] = { "host-name", true, "somebody else changes the host name of running, at once" },
	[FAULT_SAVE_LIES] = { "save-lies", false, "'copy run start' says nothing, as on success, and saves nothing" },
	[FAULT_POWER_CUT_SAVE] = { "power-cut-save", true, "power is lost in 'copy run start', before the flash has it" },
	[FAULT_LEAVE_REFUSED] = { "leave-refused", false, "'leave' finds the configuration invalid and stays" },
	[FAULT_LEAVE_LOSES_LINE] = { "leave-loses-line", false,
				     "'leave' succeeds, but the last line of the last section is not in running" },
	[FAULT_NO_SLASH] = { "no-slash", false, "prompts of contexts have no last slash: /config/system#>" },
	[FAULT_ANSI] = { "ansi", false, "prompts are coloured and switch bracketed paste on" },
	[FAULT_NOISE] = { "noise", false, "line noise: bytes that are not text in the middle of answers" },
	[FAULT_ERASE_FAILS] = { "erase-fails", false, "the second erase of the boot menu fails" },
	[FAULT_MENU_WIDGET] = { "menu-widget", false, "the boot menu is painted with cursor positions, as Barebox's own widget does" },
	[FAULT_CONFIG_LOCKED] = { "config-locked", false, "somebody else is in the configuration: 'configure' is refused" },
	[FAULT_PASSWORD_ECHO] = { "password-echo", false, "the login echoes the password" },
	[FAULT_TIMED_OUT] = { "timed-out", true, "the session is logged out as the next line is entered" },
	[FAULT_STARTUP_CORRUPT] = { "startup-corrupt", true, "the second half of the startup file is lost" },
	[FAULT_CUT_SHORT] = { "cut-short", false, "the end of long answers is lost, from some line on; the prompt comes" },
	[FAULT_OVERRUN] = { "overrun", false, "32 bytes somewhere in each long answer are lost, as on a line without flow control" },
	[FAULT_BANNER] = { "banner", false, "the login banner has lines that look like prompts and questions" },
	[FAULT_XONXOFF] = { "xonxoff", false, "XOFF and XON stand in the middle of answers" },
	[FAULT_SLOW_ERASE] = { "slow-erase", false, "each erase of the boot menu takes four seconds" },
	[FAULT_ERASE_LIES] = { "erase-lies", false, "the boot menu says that it erased the configuration, and did not" },
	[FAULT_IMAGE_PANICS] = { "image-panics", false,
				 "an image of another version than the one that saved startup dies while it starts" },
	[FAULT_IMAGE_FAILS] = { "image-fails", false,
				"an image of another version than the one that saved startup comes up in a failure mode" },
	[FAULT_POWER_CUT_UPGRADE] = { "power-cut-upgrade", false, "power is lost once, while an image is being programmed" },
	[FAULT_LOG_STORM] = { "log-storm", false, "a log line stands before every prompt, also that of an empty line" },
};

enum fault fault_find(const char *name)
{
	size_t i = 0;

	while (i < FAULT_COUNT && strcmp(faults[i].name, name) != 0)
		i++;
	return (enum fault)i;
}
