/* Reading a profile: see profile.h. What fills it is builder.c. */
#include "profile/profile.h"

const char *profile_string(const struct profile *profile, struct string_id id)
{
	if (id.v >= profile->string_count)
		return "";
	return profile->strings[id.v];
}
