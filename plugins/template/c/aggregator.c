// Orders, their sum and the greatest, for each key and window.
#include "wasmill.h"

// What is read of an event. An event without a required field never gets here.
enum { AMOUNT };
WM_READS({"amount", "data.amount", WM_FLOAT});

// What is written when the window closes. `.role = WM_TAG` makes a tag of a field.
enum { COUNT, TOTAL, GREATEST };
WM_WRITES({"count", WM_INTEGER}, {"total", WM_FLOAT, .unit = "EUR"}, {"greatest", WM_FLOAT});

// What is remembered of one key in one window. All zero is the empty state, the identity of `wm_merge`.
typedef struct {
  int64_t count;
  double total, greatest;
} orders;
WM_STATE(orders, 1);

const char *wm_configure(void) { return WM_OK; }

const char *wm_add(void *state, wm_event order) {
  orders *all = state;
  double amount = wm_float(order, AMOUNT);
  if (amount < 0) return wm_join("the amount ", wm_number(amount), " is negative", 0);
  all->count++;
  all->total += amount;
  if (amount > all->greatest) all->greatest = amount;
  return WM_OK;
}

// In any order, any number of times: windows share panes.
void wm_merge(void *state, const void *from) {
  orders *all = state;
  const orders *other = from;
  all->count += other->count;
  all->total += other->total;
  if (other->greatest > all->greatest) all->greatest = other->greatest;
}

void wm_emit(const void *state, const wm_emission *at, wm_rows *rows) {
  const orders *all = state;
  wm_row(rows);
  wm_put_integer(rows, COUNT, all->count);
  wm_put_float(rows, TOTAL, all->total);
  wm_put_float(rows, GREATEST, all->greatest);
}
