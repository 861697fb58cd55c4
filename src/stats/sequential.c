/* A test that looks at the pairs again and again. The looks lie at numbers of pairs that are fixed
 * beforehand; each has its share of alpha, and the shares sum to 1, so that the error over all
 * looks is at most alpha, whatever ties the looks to one another.
 *
 * Two tests share it:
 * - signed ranks, which find small differences as soon as there are enough pairs;
 * - clusters, for the first looks, where so few signs cannot say enough (8 pairs of one sign have
 *   p = 0.008). Equal programs: a pair's number is u − v with u and v alike distributed, as each
 *   side's process is drawn from the same ones. For any L > 0 such a number lies in [L, 2L) with
 *   a chance of at most 1/4: let u and v be neighbours when they differ by such a number. Three
 *   values cannot all be neighbours (two steps of L or more make 2L or more), and in a graph
 *   without triangles the chance that two values drawn alike are neighbours is at most 1/2
 *   (Motzkin and Straus 1965), half of it for each sign. The same 1/4 holds where the number is
 *   symmetric with one peak, as [0, L) is then likelier. So k of n pairs in such a window, the
 *   smallest of them its L, have a chance of at most n/2 · P(Binomial(n − 1, 1/4) ≥ k − 1) for each
 *   sign: 8 of 8 have p = 0.0005, both signs taken together.
 * Where differences up to `indifference` don't count, both tests ask about what lies beyond it. */
#include "stats/sequential.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/interval.h"
#include "stats/paired.h"
#include "stats/signed_rank.h"
#include "stats/summary.h"

#define CONFIDENCE_MISS 0.05
#define FIRST_LOOK_MIN 5
#define LOOK_GROWTH 1.15

/* Shares of alpha. Clusters: the first look, then three more. */
#define CLUSTER_FIRST 0.25
#define CLUSTER_NEXT 0.05
#define CLUSTER_LOOKS 4
/* Ranks: more at the first look at which all pairs of one sign are enough, then even ones, then
 * 1/(j (j + 1)) parts of the rest, which sum to it: 0.25 + 3·0.05 + 0.065 +
 * 20·0.0225 + 0.085 = 1. */
#define EVEN_LOOKS 20
#define RANK_FIRST 0.065
#define RANK_EVEN 0.0225
#define RANK_REST 0.085
/* Shares of what the interval may miss, in the same way: 0.16 + 20·0.04 + 0.04 = 1. */
#define INTERVAL_FIRST 0.16
#define INTERVAL_EVEN 0.04
#define INTERVAL_REST 0.04
/* Of signed ranks for normal pairs: 3/π. */
#define RANK_EFFICIENCY 0.955

struct look {
	size_t pairs;
	size_t number, rank_number; /* from 0; rank_number: SIZE_MAX before the first of ranks */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to compare pairs");
}

static size_t first_look(const struct sequential_plan *plan)
{
	size_t n = FIRST_LOOK_MIN;

	/* All n in one window. */
	while (n < SIGNED_RANK_VALUES_MAX &&
	       (double)n * pow(0.25, (double)(n - 1)) > plan->alpha * CLUSTER_FIRST)
		n++;
	return n > plan->pairs_min ? n : plan->pairs_min;
}

static void look_count_ranks(const struct sequential_plan *plan, struct look *look)
{
	if (look->rank_number != SIZE_MAX)
		look->rank_number++;
	else if (ldexp(1, 1 - (int)look->pairs) <= plan->alpha * RANK_FIRST)
		look->rank_number = 0;
}

static void look_first(const struct sequential_plan *plan, struct look *look)
{
	*look = (struct look){.pairs = first_look(plan), .rank_number = SIZE_MAX};
	look_count_ranks(plan, look);
}

static void look_next(const struct sequential_plan *plan, struct look *look)
{
	size_t grown = (size_t)ceil((double)look->pairs * LOOK_GROWTH);

	look->pairs = grown > look->pairs ? grown : look->pairs + 1;
	look->number++;
	look_count_ranks(plan, look);
}

size_t sequential_next_look(const struct sequential_plan *plan, size_t n)
{
	struct look look;

	for (look_first(plan, &look); look.pairs < n;)
		look_next(plan, &look);
	return look.pairs;
}

/* Of look `number`: the first share, EVEN_LOOKS even ones, then parts of the rest. */
static double share_of(size_t number, double first, double even, double rest)
{
	double j = (double)number - EVEN_LOOKS;

	if (number == 0)
		return first;
	return number <= EVEN_LOOKS ? even : rest / (j * (j + 1));
}

static double cluster_share(const struct look *look)
{
	return look->number == 0 ? CLUSTER_FIRST : look->number < CLUSTER_LOOKS ? CLUSTER_NEXT : 0;
}

static double rank_share(const struct look *look)
{
	return look->rank_number == SIZE_MAX
		   ? 0
		   : share_of(look->rank_number, RANK_FIRST, RANK_EVEN, RANK_REST);
}

static double interval_share(const struct look *look)
{
	return share_of(look->number, INTERVAL_FIRST, INTERVAL_EVEN, INTERVAL_REST);
}

/* --- clusters ----------------------------------------------------------------- */

/* P(Binomial(n, 1/4) ≥ k) */
static double quarter_tail(size_t n, size_t k)
{
	double tail = 0;

	for (size_t i = k; i <= n; i++)
		tail += exp(lgamma((double)n + 1) - lgamma((double)i + 1) -
			    lgamma((double)(n - i) + 1) + (double)i * log(0.25) +
			    (double)(n - i) * log(0.75));
	return tail;
}

static double cluster_p(size_t n, size_t largest)
{
	double p = largest == 0 ? 1 : (double)n / 2 * quarter_tail(n - 1, largest - 1);

	return p < 1 ? p : 1;
}

/* The most values beyond `edge` on that side that lie in one [L, 2L). */
static size_t largest_cluster(const double *sorted, size_t n, double edge, int side)
{
	size_t largest = 0, to = 0;

	for (size_t from = 0; from < n; from++) {
		/* In order of distance from the edge: upwards for side 1, downwards for −1. */
		double low = side > 0 ? sorted[from] - edge : -sorted[n - 1 - from] - edge;

		if (!(low > 0))
			continue;
		if (to < from)
			to = from;
		while (to < n && (side > 0 ? sorted[to] : -sorted[n - 1 - to]) - edge < 2 * low)
			to++;
		if (to - from > largest)
			largest = to - from;
	}
	return largest;
}

/* --- one look -------------------------------------------------------------------- */

static double *copy_sorted(const double *values, size_t n)
{
	double *sorted = mem_alloc(n * sizeof(*sorted));

	if (sorted != NULL) {
		memcpy(sorted, values, n * sizeof(*sorted));
		sort_numbers(sorted, n);
	}
	return sorted;
}

struct evidence {
	double greater, less; /* one-sided p values, each divided by its look's share */
};

static void take_smaller(double *p, double look_p, double share)
{
	if (share > 0 && look_p / share < *p)
		*p = look_p / share;
}

static int look_at_clusters(const struct sequential_plan *plan, const struct look *look,
			    const double *log_ratios, struct evidence *evidence, struct err *err)
{
	double share = cluster_share(look), *sorted;
	size_t n = look->pairs;

	if (share == 0)
		return 0;
	sorted = copy_sorted(log_ratios, n);
	if (sorted == NULL)
		return no_memory(err);
	take_smaller(&evidence->greater,
		     cluster_p(n, largest_cluster(sorted, n, plan->indifference, 1)), share);
	take_smaller(&evidence->less,
		     cluster_p(n, largest_cluster(sorted, n, plan->indifference, -1)), share);
	mem_free(sorted);
	return 0;
}

static int look_at_ranks(const struct sequential_plan *plan, const struct look *look,
			 const double *log_ratios, struct evidence *evidence, struct err *err)
{
	double share = rank_share(look), greater, less;
	int r;

	if (share == 0)
		return 0;
	r = signed_rank_p(log_ratios, look->pairs, plan->indifference, 1, &greater, err);
	if (r == 0)
		r = signed_rank_p(log_ratios, look->pairs, -plan->indifference, -1, &less, err);
	if (r < 0)
		return r;
	take_smaller(&evidence->greater, greater, share);
	take_smaller(&evidence->less, less, share);
	return 0;
}

static double clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

static enum sequential_decision decide(const struct sequential_plan *plan,
				       const struct sequential_state *state,
				       const struct evidence *evidence)
{
	if (2 * evidence->greater <= plan->alpha && state->low > plan->indifference)
		return SEQUENTIAL_GREATER;
	if (2 * evidence->less <= plan->alpha && state->high < -plan->indifference)
		return SEQUENTIAL_LESS;
	if (plan->tolerance > 0 && state->low >= -plan->tolerance && state->high <= plan->tolerance)
		return SEQUENTIAL_EQUAL;
	return state->pairs >= plan->pairs_max ? SEQUENTIAL_UNKNOWN : SEQUENTIAL_CONTINUE;
}

/* --- what these pairs could find ----------------------------------------------------- */

/* Both ask for the shift of these very pairs, as they scatter, that would be found: so what
 * disturbed them counts. That shift is found half of the time; the rest is for the power. */

/* A shift moves the window: `least` neighbours from r to s lie in one when shift + s is below
 * 2 (shift + r). */
static double cluster_detectable(const struct sequential_plan *plan, const struct look *look,
				 const double *sorted, double location, double spread)
{
	double level = plan->alpha / 2 * cluster_share(look), shift = INFINITY;
	size_t n = look->pairs, least = n;

	if (level == 0 || cluster_p(n, n) > level)
		return INFINITY;
	while (least > 1 && cluster_p(n, least - 1) <= level)
		least--;
	for (size_t from = 0; from + least <= n; from++) {
		double low = sorted[from] - location, high = sorted[from + least - 1] - location;

		/* For differences of either sign. */
		shift = fmin(shift, fmax(high - 2 * low, 2 * high - low));
	}
	return shift + 2 * normal_quantile(plan->power) * spread;
}

static int rank_detectable(const struct sequential_plan *plan, const struct look *look,
			   const double *log_ratios, double *ret_shift, struct err *err)
{
	double miss = plan->alpha * rank_share(look), location, low, high;
	int r;

	*ret_shift = INFINITY;
	if (miss == 0)
		return 0;
	r = signed_rank_interval(log_ratios, look->pairs, miss, &location, &low, &high, err);
	if (r == 0)
		*ret_shift = fmax(high - location, location - low) *
			     (1 + normal_quantile(plan->power) / -normal_quantile(miss / 2));
	return r;
}

static int tell_detectable(const struct sequential_plan *plan, const struct look *look,
			   const double *log_ratios, double spread, double *ret_shift,
			   struct err *err)
{
	double *sorted = copy_sorted(log_ratios, look->pairs), clusters, ranks;
	int r;

	if (sorted == NULL)
		return no_memory(err);
	clusters =
	    cluster_detectable(plan, look, sorted, median_sorted(sorted, look->pairs), spread);
	mem_free(sorted);
	r = rank_detectable(plan, look, log_ratios, &ranks, err);
	if (r == 0)
		*ret_shift = plan->indifference + fmin(clusters, ranks);
	return r;
}

/* At a look to come: as far as the spread tells. */
static bool would_decide(const struct sequential_plan *plan, const struct look *look, double spread)
{
	double find =
	    rank_share(look) > 0 ? -normal_quantile(plan->alpha / 2 * rank_share(look)) : INFINITY;
	double shut_out = -normal_quantile(CONFIDENCE_MISS / 2 * interval_share(look));
	double se = spread / sqrt((double)look->pairs * RANK_EFFICIENCY);

	return (find + normal_quantile(plan->power)) * se <= plan->tolerance - plan->indifference &&
	       (shut_out + normal_quantile(0.5 + plan->power / 2)) * se <= plan->tolerance;
}

static size_t pairs_needed(const struct sequential_plan *plan, size_t n, double spread)
{
	struct look look;

	if (!(plan->tolerance > 0) || !isfinite(spread))
		return SIZE_MAX;
	for (look_first(plan, &look); look.pairs <= SIGNED_RANK_VALUES_MAX; look_next(plan, &look))
		if (look.pairs >= n && would_decide(plan, &look, spread))
			return look.pairs;
	return SIZE_MAX;
}

/* --- all looks so far ---------------------------------------------------------------- */

static int check_input(const struct sequential_plan *plan, const double *log_ratios, size_t n,
		       struct err *err)
{
	if (!(plan->alpha > 0 && plan->alpha < 1) || !(plan->power > 0 && plan->power < 1) ||
	    !(plan->indifference >= 0) || !(plan->tolerance >= 0))
		return err_set(err, ERR_USAGE,
			       "a comparison with alpha %g, power %g, indifference %g, tolerance "
			       "%g cannot be made",
			       plan->alpha, plan->power, plan->indifference, plan->tolerance);
	if (n > SIGNED_RANK_VALUES_MAX) {
		int r = err_set(err, ERR_LIMIT, "too many pairs to compare");
		err_why(err, "%zu, and %d is the limit", n, SIGNED_RANK_VALUES_MAX);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		if (!isfinite(log_ratios[i]))
			return err_set(err, ERR_USAGE, "pair %zu has no ratio", i + 1);
	return 0;
}

/* The evidence of all looks up to n pairs; ret_last: the last of them, its pairs 0: none. */
static int take_looks(const struct sequential_plan *plan, const double *log_ratios, size_t n,
		      struct evidence *evidence, struct look *ret_last, struct err *err)
{
	struct look look;
	int r = 0;

	ret_last->pairs = 0;
	for (look_first(plan, &look); look.pairs <= n && r == 0; look_next(plan, &look)) {
		r = look_at_clusters(plan, &look, log_ratios, evidence, err);
		if (r == 0)
			r = look_at_ranks(plan, &look, log_ratios, evidence, err);
		*ret_last = look;
	}
	return r;
}

static int estimate(const struct look *last, const double *log_ratios, size_t n,
		    struct sequential_state *state, struct err *err)
{
	double location, low, high;
	int r = 0;

	/* Of all pairs; the interval is the last look's. */
	r = signed_rank_interval(log_ratios, n, CONFIDENCE_MISS, &state->location, &low, &high,
				 err);
	if (r < 0 || last->pairs == 0)
		return r;
	r = signed_rank_interval(log_ratios, last->pairs, CONFIDENCE_MISS * interval_share(last),
				 &location, &state->low, &state->high, err);
	if (r == 0)
		state->location = clamp(state->location, state->low, state->high);
	return r;
}

int sequential_look(const struct sequential_plan *plan, const double *log_ratios, size_t n,
		    struct sequential_state *ret_state, struct err *err)
{
	struct sequential_state state = {.pairs = n,
					 .location = NAN,
					 .low = -INFINITY,
					 .high = INFINITY,
					 .p = 1,
					 .detectable = INFINITY,
					 .pairs_needed = SIZE_MAX};
	struct evidence evidence = {INFINITY, INFINITY};
	struct look last;
	double spread;
	int r = check_input(plan, log_ratios, n, err);

	if (r < 0)
		return r;
	r = take_looks(plan, log_ratios, n, &evidence, &last, err);
	if (r == 0 && n > 0)
		r = estimate(&last, log_ratios, n, &state, err);
	if (r < 0)
		return r;
	state.p = 2 * fmin(evidence.greater, evidence.less);
	if (state.p > 1)
		state.p = 1;
	spread = robust_spread(log_ratios, n);
	if (n > 1 && isnan(spread))
		return no_memory(err);
	if (last.pairs > 0) {
		r = tell_detectable(plan, &last, log_ratios, spread, &state.detectable, err);
		if (r < 0)
			return r;
	}
	state.pairs_needed = pairs_needed(plan, n, spread);
	state.decision = decide(plan, &state, &evidence);
	*ret_state = state;
	return 0;
}

/* --- several tests --------------------------------------------------------------------- */

void holm(const double *p, size_t n, double alpha, bool *rejected)
{
	for (size_t i = 0; i < n; i++)
		rejected[i] = false;
	for (size_t left = n; left > 0; left--) {
		size_t smallest = n;

		for (size_t i = 0; i < n; i++)
			if (!rejected[i] && !isnan(p[i]) && (smallest == n || p[i] < p[smallest]))
				smallest = i;
		if (smallest == n || !(p[smallest] <= alpha / (double)left))
			return;
		rejected[smallest] = true;
	}
}
