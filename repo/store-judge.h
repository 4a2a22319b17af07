/* repo/store-judge.h -- the index of what people decided about advisories. Internal to repo/. */
#pragma once

#include "repo/sql.h"

extern const char store_judge_schema[];
#define STORE_JUDGE_TABLES "judgement"

enum { JUDGEMENTS_MAX = 200000 }; /* that an archive takes: one a minute for half a year */

#define JUDGEMENT_TEXTS_MAX (4LL << 30) /* bytes of documents that judgements bring, as they come, of a whole archive */

/* As store_judge(): one is taken once. */
int store_judge_judgement(struct store *store, const struct container *c, struct error *err) _must_check_;
int store_enter_judgement(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_place_judgement(struct store *store, const struct statement *st, uint64_t position, struct error *err) _must_check_;
