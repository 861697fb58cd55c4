/* Writes the fixture of the format tests in one format to stdout: for the tests
 * of real consumers. Usage: export_fixture FORMAT */
#include <stdio.h>

#include "../unit/formats/fixture.h"
#include "formats/format.h"

int main(int argc, char **argv)
{
	const struct format *format = argc == 2 ? format_find(argv[1]) : NULL;

	if (!format) {
		fprintf(stderr, "usage: export_fixture FORMAT\n");
		return 2;
	}
	struct profile *profile = fixture_profile();
	int rc = format->write(profile, NULL, stdout, NULL);
	profile_free(profile);
	return rc == 0 ? 0 : 1;
}
