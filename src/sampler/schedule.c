/* See schedule.h. */
#include "sampler/schedule.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void random_seed(struct random_state *random, uint64_t seed)
{
	/* splitmix64 spreads any seed over the state, zero included. */
	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		random->word[i] = z ^ (z >> 31);
	}
}

uint64_t random_next(struct random_state *random)
{
	uint64_t *s = random->word, result = rotate_left(s[0] + s[3], 23) + s[0], t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

double random_unit(struct random_state *random)
{
	return (double)((random_next(random) >> 11) + 1) * 0x1p-53;
}

void schedule_start(struct schedule *schedule, double rate_hz, uint64_t now_ns, uint64_t seed)
{
	random_seed(&schedule->random, seed);
	schedule->period_ns = 1e9 / rate_hz;
	schedule->next_ns = now_ns;
	schedule_advance(schedule);
}

void schedule_set_rate(struct schedule *schedule, double rate_hz)
{
	schedule->period_ns = 1e9 / rate_hz;
}

void schedule_advance(struct schedule *schedule)
{
	/* At least 1 ns, so that time moves on at any rate that someone asks for. */
	schedule->next_ns +=
	    1 + (uint64_t)(-log(random_unit(&schedule->random)) * schedule->period_ns);
	schedule->next_weight_ns = schedule->period_ns < 1 ? 1 : (uint64_t)schedule->period_ns;
}

uint64_t schedule_skip_missed(struct schedule *schedule, uint64_t now_ns)
{
	uint64_t missed = 0;

	while (schedule->next_ns < now_ns) {
		schedule_advance(schedule);
		missed++;
	}
	return missed;
}

void rate_control_start(struct rate_control *control, double budget, uint64_t now_ns)
{
	*control = (struct rate_control){
	    .budget = budget, .rate_hz = RATE_FIRST_HZ, .last_change_ns = now_ns};
}

double rate_control_tick(struct rate_control *control, uint64_t cost_ns, uint64_t now_ns)
{
	uint64_t wait_ns = control->rate_hz == RATE_FIRST_HZ ? 250000000ull : 1000000000ull;
	double rate;

	control->cost_ns += cost_ns;
	control->ticks++;
	if (now_ns - control->last_change_ns < wait_ns || control->ticks < 20)
		return control->rate_hz;
	rate = control->budget * 1e9 * (double)control->ticks / (double)(control->cost_ns + 1);
	if (rate < RATE_FLOOR_HZ)
		rate = RATE_FLOOR_HZ;
	if (rate > RATE_CEILING_HZ)
		rate = RATE_CEILING_HZ;
	if (fabs(rate - control->rate_hz) > 0.1 * control->rate_hz)
		control->rate_hz = rate;
	control->last_change_ns = now_ns;
	control->cost_ns = control->ticks = 0;
	return control->rate_hz;
}
