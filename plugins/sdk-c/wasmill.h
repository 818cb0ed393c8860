// Wasmill plugins in C: no library, no runtime. Built by clang --target=wasm32 with wasmill.c.
//
// A plugin defines WM_READS and WM_WRITES, and the functions of its kind below. All memory that a call gets is its own until it
// returns; a state lives until its slot is forgotten.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a value means; a timestamp is in nanoseconds since 1970-01-01 UTC, json is JSON text.
typedef enum { WM_BOOLEAN, WM_INTEGER, WM_FLOAT, WM_TEXT, WM_BYTES, WM_TIMESTAMP, WM_JSON } wm_kind;
typedef enum { WM_FIELD, WM_TAG, WM_TIME } wm_role;

// Text or bytes, without a zero at the end.
typedef struct {
  const char *data;
  uint32_t len;
} wm_text;

// A field of an event. The plugin reads it by its place in WM_READS.
typedef struct {
  const char *name;
  const char *path;
  wm_kind kind;
  // May be missing or null.
  bool optional;
} wm_read;

// A field of a row. The plugin writes it by its place in WM_WRITES.
typedef struct {
  const char *name;
  wm_kind kind;
  bool optional;
  wm_role role;
  const char *unit;
  const char *doc;
} wm_write;

extern const wm_read wm_reads[];
extern const uint32_t wm_reads_len;
extern const wm_write wm_writes[];
extern const uint32_t wm_writes_len;

#define WM_READS(...) \
  const wm_read wm_reads[] = {__VA_ARGS__}; \
  const uint32_t wm_reads_len = sizeof wm_reads / sizeof *wm_reads
#define WM_WRITES(...) \
  const wm_write wm_writes[] = {__VA_ARGS__}; \
  const uint32_t wm_writes_len = sizeof wm_writes / sizeof *wm_writes

// One row of a batch.
typedef struct {
  const void *columns;
  uint32_t row;
} wm_event;

bool wm_is_null(wm_event event, uint32_t field);
bool wm_boolean(wm_event event, uint32_t field);
int64_t wm_integer(wm_event event, uint32_t field);
double wm_float(wm_event event, uint32_t field);
wm_text wm_text_of(wm_event event, uint32_t field);

// The rows of a call. Each begins with wm_row; what is not put is null, and a field that is not optional must be put.
typedef struct wm_rows wm_rows;
void wm_row(wm_rows *rows);
void wm_put_boolean(wm_rows *rows, uint32_t field, bool value);
void wm_put_integer(wm_rows *rows, uint32_t field, int64_t value);
void wm_put_float(wm_rows *rows, uint32_t field, double value);
void wm_put_text(wm_rows *rows, uint32_t field, wm_text value);
// More of the text that was just put.
void wm_add_text(wm_rows *rows, uint32_t field, wm_text more);

// A text of the configuration's table, or a number; the second argument if the key is not there.
wm_text wm_config_text(const char *key, const char *otherwise);
double wm_config_number(const char *key, double otherwise);

// A line of the log, and a reason out of parts: texts end at a null pointer.
void wm_log(const char *line);
const char *wm_join(const char *part, ...);
// A number as text, with up to six digits after the point.
const char *wm_number(double value);

#define WM_OK ((const char *)0)

// --- What every plugin defines: WM_OK, or why the configuration is refused.
const char *wm_configure(void);

#ifdef WASMILL_TRANSFORMER
// WM_OK, or why the row is refused. It may write 0, 1 or many rows, which keep the fields of the event.
const char *wm_transform(wm_event event, wm_rows *rows);
#endif

#ifdef WASMILL_AGGREGATOR
// A state is a struct of this size, whose zero is the empty state. Its bytes are stored as they are: WM_STATE(struct, version).
extern const uint32_t wm_state_size, wm_state_version;
#define WM_STATE(type, version) \
  const uint32_t wm_state_size = sizeof(type); \
  const uint32_t wm_state_version = version

typedef struct {
  int64_t start, end;
  // 0 early, 1 on time, 2 late.
  int firing;
  // The key's columns, by their place in the route's key.
  wm_event key;
} wm_emission;

// WM_OK, or why the row is refused, before anything of the state has changed.
const char *wm_add(void *state, wm_event event);
// In any order, any number of times.
void wm_merge(void *state, const void *other);
void wm_emit(const void *state, const wm_emission *at, wm_rows *rows);
#endif
