#include "correlate/chance.h"

#include "run_tests.h"

#define TCP PROTOCOL_TCP
#define OUT TRY_ROLE_FROM_GUEST

static struct chance chance = { .rate = 0.1 };

static void failed(uint64_t n, int times)
{
	for (int i = 0; i < times; i++)
		chance_note_run(&chance, TCP, OUT, n);
}

START_TEST(one_in_a_thousand_fails_three_times)
{
	for (int i = 0; i < 1000; i++)
		chance_note_exchange(&chance, TCP, OUT, 1);
	failed(3, 2);
	failed(6, 1);
	ck_assert(chance_explains_run(&chance, TCP, OUT, 3));
	ck_assert(!chance_explains_run(&chance, TCP, OUT, 6));
	failed(3, 30);
	ck_assert(!chance_explains_run(&chance, TCP, OUT, 3));
}
END_TEST

START_TEST(few_exchanges_do_not_fail_by_chance)
{
	for (int i = 0; i < 5; i++)
		chance_note_exchange(&chance, TCP, OUT, 1);
	failed(3, 1);
	ck_assert(!chance_explains_run(&chance, TCP, OUT, 3));
}
END_TEST

START_TEST(without_losses_nothing_is_chance)
{
	chance.rate = 0;
	for (int i = 0; i < 1000; i++)
		chance_note_exchange(&chance, TCP, OUT, 1);
	failed(1, 1);
	ck_assert(!chance_explains_run(&chance, TCP, OUT, 1));
	ck_assert(!chance_explains_share(&chance, TCP, OUT, 1000, 1));
}
END_TEST

START_TEST(a_share_near_the_rate_is_chance)
{
	chance_note_exchange(&chance, TCP, OUT, 40);
	ck_assert(chance_explains_share(&chance, TCP, OUT, 40, 6));
	ck_assert(!chance_explains_share(&chance, TCP, OUT, 40, 16));
}
END_TEST

START_TEST(hostile_numbers)
{
	chance.rate = 2;
	chance_note_exchange(&chance, TCP, OUT, UINT64_MAX);
	chance_note_run(&chance, TCP, OUT, 0);
	chance_note_run(&chance, TCP, OUT, UINT64_MAX);
	ck_assert(!chance_explains_run(&chance, TCP, OUT, 0));
	ck_assert(!chance_explains_run(&chance, TCP, OUT, UINT64_MAX));
	chance_explains_share(&chance, TCP, OUT, UINT64_MAX, UINT64_MAX);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_in_a_thousand_fails_three_times,
		few_exchanges_do_not_fail_by_chance,
		without_losses_nothing_is_chance,
		a_share_near_the_rate_is_chance,
		hostile_numbers,
		NULL,
	};

	return run_tests("chance", tests);
}
