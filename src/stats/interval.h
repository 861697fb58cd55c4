/* Intervals for proportions and simple summaries. Pure functions. */
#ifndef STATS_INTERVAL_H
#define STATS_INTERVAL_H

struct interval {
	double low, high;
};

/* Wilson (1927) score interval of k successes in n trials; n may be an effective
 * size (Σw)²/Σw² under unequal weights. n = 0 gives [0, 1]. confidence e.g. 0.95. */
struct interval wilson_interval(double k, double n, double confidence);
/* Quantile of the standard normal (|error| < 1e-9). */
double normal_quantile(double p);
double normal_cdf(double z);
/* Newcombe (1998) hybrid score interval of p1 − p2 from independent proportions. */
struct interval newcombe_difference(double k1, double n1, double k2, double n2, double confidence);

#endif
