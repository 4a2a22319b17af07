/* tests/fake/weos/faults.h -- what can go wrong on demand, by name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct device;

enum fault {
	FAULT_LOG_LINES,
	FAULT_PAGER,
	FAULT_LEFT_IN_CONFIG,
	FAULT_LEFT_LOGGED_IN,
	FAULT_FLASH_FULL,
	FAULT_UPPER_CASE_Y,
	FAULT_POWER_CUT_ERASE,
	FAULT_PRIMARY_CORRUPT,
	FAULT_BOOT_ORDER_MISSING,
	FAULT_ENCRYPT_PASSWORD_UNSAVED,
	FAULT_BOOT_INTEGRITY,
	FAULT_LOST_INPUT,
	FAULT_LOST_ECHO,
	FAULT_FAKE_PROMPT,
	FAULT_SLOW,
	FAULT_HANG,
	FAULT_DROP,
	FAULT_REBOOT,
	FAULT_HOST_NAME,
	FAULT_SAVE_LIES,
	FAULT_POWER_CUT_SAVE,
	FAULT_LEAVE_REFUSED,
	FAULT_LEAVE_LOSES_LINE,
	FAULT_NO_SLASH,
	FAULT_ANSI,
	FAULT_NOISE,
	FAULT_ERASE_FAILS,
	FAULT_MENU_WIDGET,
	FAULT_COUNT,
};

struct fault_info {
	const char *name;
	bool is_once; /* switches itself off when it has happened */
	const char *what;
};

extern const struct fault_info faults[FAULT_COUNT];

/* FAULT_COUNT: no such. */
enum fault fault_find(const char *name);
