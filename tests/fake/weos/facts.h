/* tests/fake/weos/facts.h -- what of the simulated device is known of the real one, and how well. */
#pragma once

/* Prints one behaviour a line, with its confidence. Returns 0. */
int facts_print(void);
