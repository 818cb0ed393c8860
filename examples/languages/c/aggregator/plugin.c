// Counts orders and adds them up, for each key and window.
#include "wasmill.h"

enum { GROSS, DISCOUNTED };
WM_READS({"gross", .kind = WM_FLOAT}, {"discounted", .kind = WM_BOOLEAN});

enum { COUNT, COUPONS, TOTAL, GREATEST, MEAN };
WM_WRITES({"count", WM_INTEGER}, {"discounted", WM_INTEGER}, {"total", WM_FLOAT, .unit = "EUR"}, {"greatest", WM_FLOAT},
          {"mean", WM_FLOAT, .optional = true, .doc = "Of several orders alone."});

typedef struct {
  int64_t count, discounted;
  double total, greatest;
} orders;
WM_STATE(orders, 1);

const char *wm_configure(void) { return WM_OK; }

const char *wm_add(void *state, wm_event order) {
  orders *all = state;
  double gross = wm_float(order, GROSS);
  all->count++;
  all->discounted += wm_boolean(order, DISCOUNTED);
  all->total += gross;
  if (gross > all->greatest) all->greatest = gross;
  return WM_OK;
}

void wm_merge(void *state, const void *from) {
  orders *all = state;
  const orders *other = from;
  all->count += other->count;
  all->discounted += other->discounted;
  all->total += other->total;
  if (other->greatest > all->greatest) all->greatest = other->greatest;
}

void wm_emit(const void *state, const wm_emission *at, wm_rows *rows) {
  const orders *all = state;
  wm_row(rows);
  wm_put_integer(rows, COUNT, all->count);
  wm_put_integer(rows, COUPONS, all->discounted);
  wm_put_float(rows, TOTAL, all->total);
  wm_put_float(rows, GREATEST, all->greatest);
  if (all->count > 1) wm_put_float(rows, MEAN, all->total / all->count);
}
