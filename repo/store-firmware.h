/* repo/store-firmware.h -- the index of firmware statements: what an image is, said by who may. Internal to repo/. */
#pragma once

#include "repo/sql.h"

extern const char store_firmware_schema[];
#define STORE_FIRMWARE_TABLES "firmware"

/* As store_judge(), verified by the root in force. */
int store_judge_firmware(struct store *store, const struct statement *st, const struct root *root, struct error *err) _must_check_;
int store_enter_firmware(struct store *store, const struct statement *st, struct error *err) _must_check_;
