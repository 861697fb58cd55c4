/* When to sample: a Poisson process of absolute instants with equal weights.
 * Instants that pass while the sampler is late are missed and counted; there are
 * no bursts to catch up. The rate may change between instants; each sample's
 * weight is 1 / the rate at which its instant was drawn. */
#ifndef SAMPLER_SCHEDULE_H
#define SAMPLER_SCHEDULE_H

#include <stdint.h>

/* xoshiro256++ (Blackman & Vigna 2018). */
struct random_state {
	uint64_t word[4];
};
void random_seed(struct random_state *random, uint64_t seed);
uint64_t random_next(struct random_state *random);
double random_unit(struct random_state *random); /* (0, 1] */

struct schedule {
	struct random_state random;
	double period_ns; /* 1 / rate */
	uint64_t next_ns; /* the next instant */
	uint64_t next_weight_ns;
};

void schedule_start(struct schedule *schedule, double rate_hz, uint64_t now_ns, uint64_t seed);
void schedule_set_rate(struct schedule *schedule, double rate_hz);
/* Draw the instant after the current one. */
void schedule_advance(struct schedule *schedule);
/* Skip instants before now_ns; returns how many were missed. */
uint64_t schedule_skip_missed(struct schedule *schedule, uint64_t now_ns);

/* Keeps what sampling takes within `budget` (a fraction of the target's time): the rate whose
 * cost is budget, from the measured cost of a tick. Changes in steps of at least 10 %, at most
 * once a second after the first quarter second, so that weights stay nearly equal. */
#define RATE_FLOOR_HZ 20.0
#define RATE_CEILING_HZ 1000.0
#define RATE_FIRST_HZ 200.0
struct rate_control {
	double budget, rate_hz;
	uint64_t last_change_ns, cost_ns, ticks;
};
void rate_control_start(struct rate_control *control, double budget, uint64_t now_ns);
/* Account one tick; returns the rate to use from now on. */
double rate_control_tick(struct rate_control *control, uint64_t cost_ns, uint64_t now_ns);

#endif
