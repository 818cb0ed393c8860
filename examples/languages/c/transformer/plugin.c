// Adds the price with tax and a label, leaves trial orders out, and refuses amounts that cannot be.
#include "wasmill.h"

enum { CURRENCY, AMOUNT, COUPON };
WM_READS({"currency", .kind = WM_TEXT}, {"amount", .kind = WM_FLOAT}, {"coupon", .kind = WM_TEXT, .optional = true});

enum { GROSS, LABEL, DISCOUNTED };
WM_WRITES({"gross", WM_FLOAT, .unit = "EUR"}, {"label", WM_TEXT}, {"discounted", WM_BOOLEAN});

static double factor;

const char *wm_configure(void) {
  factor = 1 + wm_config_number("tax", 0);
  return WM_OK;
}

static bool is(wm_text text, const char *word) {
  uint32_t at = 0;
  while (at < text.len && word[at] && text.data[at] == word[at]) at++;
  return at == text.len && !word[at];
}

const char *wm_transform(wm_event order, wm_rows *rows) {
  double amount = wm_float(order, AMOUNT);
  if (amount < 0) return "the amount is negative";
  wm_text currency = wm_text_of(order, CURRENCY);
  if (is(currency, "TEST")) return WM_OK;
  bool discounted = !wm_is_null(order, COUPON);
  wm_row(rows);
  wm_put_float(rows, GROSS, amount * factor);
  wm_put_text(rows, LABEL, currency);
  if (discounted) {
    wm_add_text(rows, LABEL, (wm_text){"/", 1});
    wm_add_text(rows, LABEL, wm_text_of(order, COUPON));
  }
  wm_put_boolean(rows, DISCOUNTED, discounted);
  return WM_OK;
}
