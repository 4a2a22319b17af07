/* base/yaml.h -- one YAML file per program, read once into a struct through a libcyaml schema.
 *
 * A strict subset: before libcyaml sees the file, a pass over libyaml's events refuses what it would read in a
 * surprising way: numbers with leading zeros (read as octal), anchors and aliases, tags, several documents,
 * nesting over 16, files over 1 MiB. Unknown keys are errors with line and column. (Not yaml_load/yaml_free: libyaml has such
 * symbols.) */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <cyaml/cyaml.h>

/* The pass alone, over a text of any size: what it takes is one document of the subset. name: for messages. */
int yaml_check(const char *name, struct bytes in, struct error *err) _must_check_;

/* Loads path into *out (allocated by libcyaml, freed with yaml_file_free()). E_FORMAT names file, line and column. */
int yaml_file_load(void **out, const char *path, const cyaml_schema_value_t *schema, struct error *err) _must_check_;
void yaml_file_free(const cyaml_schema_value_t *schema, void *data);

/* A file whose schema does not say everything. */
struct yaml_form {
	const cyaml_schema_value_t *schema;
	int (*check)(void *data, struct error *err); /* and puts in what is absent; of its errors, the file is named in front */
	void (*done)(void *data);                    /* frees what check added; NULL: nothing was */
};
/* As yaml_file_load(), and checked; freed with yaml_form_free(), which takes NULL. */
int yaml_form_load(void **out, const char *path, const struct yaml_form *form, struct error *err) _must_check_;
void yaml_form_free(const struct yaml_form *form, void *data);
