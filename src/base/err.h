/* Errors: one struct that says what failed, why (with the value observed) and
 * what to do next. Functions that can fail return 0 or a negative code from
 * errors.def and take `struct err *` last (NULL is allowed: only the code is
 * wanted). Libraries fill it and never print; commands print it as three lines.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Codes are the exit codes of the program, negated where returned. */
enum err_code {
	ERR_NONE = 0,
	ERR_GATE = 1,	    /* findings, regression: only where asked for */
	ERR_USAGE = 2,	    /* wrong command line or configuration */
	ERR_PERMISSION = 3, /* the kernel or the file system said no */
	ERR_NO_PROCESS = 4, /* no such process, or it ended */
	ERR_NOT_PYTHON = 5, /* not CPython, or a version that is not supported */
	ERR_TOO_LITTLE = 7, /* too little data to answer */
	ERR_FILE = 8,	    /* file or network */
	ERR_CANNOT_TELL = 9,
	ERR_NOT_MEASURED = 10,
	/* Internal codes: never leave the program as they are. */
	ERR_TORN = 64,	     /* what was read is not consistent; costs one sample */
	ERR_UNREADABLE = 65, /* an address of the target is not readable */
	ERR_LIMIT = 66,	     /* a stated bound was reached */
	ERR_MEMORY = 67,     /* no memory */
	ERR_TARGET = 68,     /* what was measured failed by itself: it raised, died */
	ERR_TIMEOUT = 69,    /* it did not answer within the time that was given */
	ERR_INTERNAL = 125,  /* our own failure under run/record */
};

struct err {
	int code; /* enum err_code, positive; 0 = no error recorded */
	char what[256];
	char why[512];
	char next[512];
};

/* Fill `err` (may be NULL) and return -code. The three texts are printf-like
 * one after another: what is formatted by err_set, why and next by the calls
 * that may follow it. Long text is cut at a character boundary, never overrun. */
int err_set(struct err *err, enum err_code code, const char *what_fmt, ...)
    __attribute__((format(printf, 3, 4)));
void err_why(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_next(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_set plus `why` from errno: "strerror (errno N)". Maps EPERM/EACCES to
 * ERR_PERMISSION and ESRCH to ERR_NO_PROCESS whatever `code` says. */
int err_set_errno(struct err *err, enum err_code code, int errno_value, const char *what_fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The exit status for a code that a function returned (negative or positive):
 * internal codes become ERR_FILE, ERR_NO_PROCESS … as errors.c's table says. */
int err_exit_status(int code);

#endif
