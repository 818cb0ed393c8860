// Adds the amount with tax, and refuses amounts that cannot be.
#include "wasmill.h"

// What is read of an event, by these names. The last `true` is "may be missing"; an event without a required field never gets here.
enum { AMOUNT, COUPON };
WM_READS({"amount", "data.amount", WM_FLOAT}, {"coupon", "data.coupon", WM_TEXT, true});

// What is added to it. Later steps, keys and sinks see these fields beside the event's own.
enum { GROSS, DISCOUNTED };
WM_WRITES({"gross", WM_FLOAT, .unit = "EUR", .doc = "What the customer pays."}, {"discounted", WM_BOOLEAN});

static double tax;

const char *wm_configure(void) {
  tax = wm_config_number("tax", -1);
  return tax < 0 || tax > 1 ? "config.tax must be a number from 0 to 1" : WM_OK;
}

const char *wm_transform(wm_event order, wm_rows *rows) {
  double amount = wm_float(order, AMOUNT);
  if (amount < 0) return wm_join("the amount ", wm_number(amount), " is negative", 0);
  wm_row(rows);
  wm_put_float(rows, GROSS, amount * (1 + tax));
  wm_put_boolean(rows, DISCOUNTED, !wm_is_null(order, COUPON));
  return WM_OK;
}
