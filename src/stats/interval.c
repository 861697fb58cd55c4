/* Intervals for proportions: Wilson's score interval, Newcombe's hybrid for a
 * difference, and the normal distribution they need. No state, no allocation. */
#include "stats/interval.h"

#include <math.h>

/* Peter Acklam's rational approximation of the normal quantile (relative error
 * below 1.15e-9), used as the first guess of a Halley step. */
static const double central_top[] = {-3.969683028665376e+01, 2.209460984245205e+02,
				     -2.759285104469687e+02, 1.383577518672690e+02,
				     -3.066479806614716e+01, 2.506628277459239e+00};
static const double central_bottom[] = {-5.447609879822406e+01, 1.615858368580409e+02,
					-1.556989798598866e+02, 6.680131188771972e+01,
					-1.328068155288572e+01, 1.0};
static const double tail_top[] = {-7.784894002430293e-03, -3.223964580411365e-01,
				  -2.400758277161838e+00, -2.549732539343734e+00,
				  4.374664141464968e+00,  2.938163982698783e+00};
static const double tail_bottom[] = {7.784695709041462e-03, 3.224671290700398e-01,
				     2.445134137142996e+00, 3.754408661907416e+00, 1.0};
#define TAIL_BELOW 0.02425
#define SQRT_TWO_PI 2.50662827463100050242

static double polynomial(const double *coefficients, int count, double x)
{
	double sum = 0;

	for (int i = 0; i < count; i++)
		sum = sum * x + coefficients[i];
	return sum;
}

double normal_cdf(double z)
{
	return 0.5 * erfc(-z * M_SQRT1_2);
}

/* Quantile of p in (0, 0.5]. The lower half keeps full relative precision. */
static double lower_quantile(double p)
{
	double z;

	if (p < TAIL_BELOW) {
		double q = sqrt(-2 * log(p));
		z = polynomial(tail_top, 6, q) / polynomial(tail_bottom, 5, q);
	} else {
		double q = p - 0.5, r = q * q;
		z = q * polynomial(central_top, 6, r) / polynomial(central_bottom, 6, r);
	}
	double error = normal_cdf(z) - p;
	double step = error * SQRT_TWO_PI * exp(z * z / 2);
	if (isfinite(step)) /* exp() overflows below p ≈ 1e-300, where the guess is exact enough */
		z -= step / (1 + z * step / 2);
	return z;
}

double normal_quantile(double p)
{
	if (isnan(p) || p < 0 || p > 1)
		return NAN;
	if (p == 0)
		return -INFINITY;
	if (p == 1)
		return INFINITY;
	return p <= 0.5 ? lower_quantile(p) : -lower_quantile(1 - p);
}

static double clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

struct interval wilson_interval(double k, double n, double confidence)
{
	struct interval result = {0, 1};

	if (!(n > 0) || !isfinite(n) || isnan(k))
		return result;
	double z = normal_quantile(0.5 + confidence / 2);
	double p = clamp(k / n, 0, 1), z2 = z * z;
	double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
	double half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
	/* At p = 0 and p = 1 one end is exact; rounding must not move it, and the
	 * estimate itself always lies inside. */
	result.low = p == 0 ? 0 : clamp(centre - half, 0, p);
	result.high = p == 1 ? 1 : clamp(centre + half, p, 1);
	return result;
}

struct interval newcombe_difference(double k1, double n1, double k2, double n2, double confidence)
{
	struct interval result = {-1, 1};

	if (!(n1 > 0) || !(n2 > 0))
		return result;
	double p1 = clamp(k1 / n1, 0, 1), p2 = clamp(k2 / n2, 0, 1), d = p1 - p2;
	struct interval a = wilson_interval(k1, n1, confidence);
	struct interval b = wilson_interval(k2, n2, confidence);
	result.low = clamp(d - hypot(p1 - a.low, b.high - p2), -1, 1);
	result.high = clamp(d + hypot(a.high - p1, p2 - b.low), -1, 1);
	return result;
}
