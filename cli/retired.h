/* cli/retired.h -- what the commands around a certificate have in common: the forms in which it is shown, and the judgement of a proof. */
#pragma once

#include "cli/args.h"
#include "cli/bundle.h"
#include "cli/certificate.h"

/* --json and --html do not go together. */
int retired_check_args(const struct args *args, const struct cli *cli, struct error *err) _must_check_;
/* As text or JSON on standard output, or as a page to the file of --html. */
int retired_show(const struct certificate_view *view, const struct cli *cli, const struct args *args, const char *kind,
		 struct error *err) _must_check_;
/* Reads, verifies and shows a proof. Returns the exit status: 0. E_SEAL, E_DENIED: it does not hold. */
int retired_verify(struct bytes text, const struct bundle_trust *trust, const struct cli *cli, const struct args *args, const char *kind,
		   struct error *err) _must_check_;
