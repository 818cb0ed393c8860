// The contract's functions, by the canonical ABI of the component model: a list is a pointer and a length, a result a pointer.
#include "wasmill.h"

#include <stdarg.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define TRANSFORM "wasmill:plugin/transform@0.1.0#"
#define AGGREGATE "wasmill:plugin/aggregate@0.1.0#"
#define STATE "wasmill:plugin/state@0.1.0#"
#define MAX_FIELDS 64

// --- Memory: what a call needs is given back at its end, states are kept.

#define PAGE 65536u
#define CHUNK (1u << 20)

static char *from_host(size_t len) {
  size_t pages = (len + PAGE - 1) / PAGE, before = __builtin_wasm_memory_grow(0, pages);
  if (before == (size_t)-1) __builtin_trap();
  return (char *)(before * PAGE);
}

typedef struct chunk {
  struct chunk *next;
  size_t len;
} chunk;
static chunk *first, *current;
static size_t used;

static void *take(size_t len, size_t align) {
  for (;;) {
    size_t start = current ? (used + align - 1) / align * align : 0;
    if (current && start + len <= current->len) {
      used = start + len;
      return (char *)current + start;
    }
    if (current && current->next) {
      current = current->next;
    } else {
      size_t wanted = len + align + sizeof(chunk) > CHUNK ? len + align + sizeof(chunk) : CHUNK;
      chunk *fresh = (chunk *)from_host(wanted);
      fresh->next = 0;
      fresh->len = wanted;
      if (current) current->next = fresh;
      else first = fresh;
      current = fresh;
    }
    used = sizeof(chunk);
  }
}

static void call_over(void) {
  current = first;
  used = sizeof(chunk);
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_len, size_t align, size_t len) {
  void *fresh = take(len, align ? align : 1);
  if (old) __builtin_memcpy(fresh, old, old_len < len ? old_len : len);
  return fresh;
}

// --- The contract's types, as they lie in memory.

typedef struct { const void *data; uint32_t len; } list;
typedef struct { list ends, data; } strings;
enum { BOOLEANS, INTEGERS, FLOATS, TEXTS, BLOBS, DICTIONARY, LISTS };
typedef struct {
  uint8_t layout;
  union { list values; strings strings; struct { list codes; strings values; } dictionary; };
  list valid;
} column;
typedef struct { list name, path; uint8_t kind, optional, repeated, dictionary; } field;
typedef struct { list name; uint8_t kind, optional, repeated, role; list unit, doc; } output_field;
typedef struct { list name, fields; uint8_t extends; } output;
typedef struct { list name, version, doc, reads, outputs, options; } descriptor;
typedef struct { uint32_t count; list origins, columns; } emitted;
typedef struct { uint32_t row; list reason; } reject;
typedef struct { list outputs, rejects; } results;
typedef struct { uint8_t failed; union { list reason; list list; results results; descriptor descriptor; strings strings; }; } answer;
typedef struct { int64_t start, end; } window;

_Static_assert(sizeof(column) == 36 && sizeof(emitted) == 20 && sizeof(output_field) == 28, "as the canonical ABI has them");

static uint32_t length(const char *text) {
  uint32_t len = 0;
  while (text && text[len]) len++;
  return len;
}

static list text(const char *text) { return (list){text, length(text)}; }

static answer *answered(void) {
  answer *fresh = take(sizeof(answer), 8);
  __builtin_memset(fresh, 0, sizeof *fresh);
  return fresh;
}

// --- Reading

static const column *column_of(wm_event event, uint32_t field) { return (const column *)event.columns + field; }

bool wm_is_null(wm_event event, uint32_t field) {
  list valid = column_of(event, field)->valid;
  return valid.len && !((const uint8_t *)valid.data)[event.row];
}

bool wm_boolean(wm_event event, uint32_t field) { return ((const uint8_t *)column_of(event, field)->values.data)[event.row]; }

int64_t wm_integer(wm_event event, uint32_t field) { return ((const int64_t *)column_of(event, field)->values.data)[event.row]; }

double wm_float(wm_event event, uint32_t field) { return ((const double *)column_of(event, field)->values.data)[event.row]; }

wm_text wm_text_of(wm_event event, uint32_t field) {
  const column *column = column_of(event, field);
  const strings *held = &column->strings;
  uint32_t row = event.row;
  if (column->layout == DICTIONARY) {
    held = &column->dictionary.values;
    row = ((const uint32_t *)column->dictionary.codes.data)[row];
  }
  const uint32_t *ends = held->ends.data;
  uint32_t start = row ? ends[row - 1] : 0;
  return (wm_text){(const char *)held->data.data + start, ends[row] - start};
}

// --- Writing: columns that grow by doubling.

typedef struct { char *data; uint32_t len, room; } buffer;

static char *more(buffer *buffer, uint32_t len) {
  if (buffer->len + len > buffer->room) {
    uint32_t room = buffer->room * 2 > buffer->len + len ? buffer->room * 2 : buffer->len + len + 1024;
    char *fresh = take(room, 8);
    __builtin_memcpy(fresh, buffer->data, buffer->len);
    buffer->data = fresh;
    buffer->room = room;
  }
  char *at = buffer->data + buffer->len;
  buffer->len += len;
  return at;
}

struct wm_rows {
  uint32_t count, origin;
  bool nulls[MAX_FIELDS];
  // Of each field: values (or ends), bytes of texts, and whether there is one.
  buffer values[MAX_FIELDS], bytes[MAX_FIELDS], valid[MAX_FIELDS], origins;
};

static uint32_t width(wm_kind kind) { return kind == WM_BOOLEAN ? 1 : kind == WM_TEXT || kind == WM_BYTES || kind == WM_JSON ? 4 : 8; }

// Gives the row that was begun what it still lacks.
static void finish(wm_rows *rows) {
  for (uint32_t field = 0; field < wm_writes_len; field++) {
    while (rows->valid[field].len < rows->count) {
      *more(&rows->valid[field], 1) = 0;
      rows->nulls[field] = true;
      char *value = more(&rows->values[field], width(wm_writes[field].kind));
      __builtin_memset(value, 0, width(wm_writes[field].kind));
      if (width(wm_writes[field].kind) == 4) *(uint32_t *)value = rows->bytes[field].len;
    }
  }
}

void wm_row(wm_rows *rows) {
  finish(rows);
  rows->count++;
  *(uint32_t *)more(&rows->origins, 4) = rows->origin;
}

static char *put(wm_rows *rows, uint32_t field) {
  *more(&rows->valid[field], 1) = 1;
  return more(&rows->values[field], width(wm_writes[field].kind));
}

void wm_put_boolean(wm_rows *rows, uint32_t field, bool value) { *put(rows, field) = value; }
void wm_put_integer(wm_rows *rows, uint32_t field, int64_t value) { *(int64_t *)put(rows, field) = value; }
void wm_put_float(wm_rows *rows, uint32_t field, double value) { *(double *)put(rows, field) = value; }
void wm_put_text(wm_rows *rows, uint32_t field, wm_text value) {
  __builtin_memcpy(more(&rows->bytes[field], value.len), value.data, value.len);
  *(uint32_t *)put(rows, field) = rows->bytes[field].len;
}

void wm_add_text(wm_rows *rows, uint32_t field, wm_text added) {
  __builtin_memcpy(more(&rows->bytes[field], added.len), added.data, added.len);
  ((uint32_t *)rows->values[field].data)[rows->values[field].len / 4 - 1] = rows->bytes[field].len;
}

static wm_rows *rows_of_call(void) {
  wm_rows *rows = take(sizeof(wm_rows), 8);
  __builtin_memset(rows, 0, sizeof *rows);
  return rows;
}

static list emitted_of(wm_rows *rows) {
  static const uint8_t LAYOUT[] = {BOOLEANS, INTEGERS, FLOATS, TEXTS, BLOBS, INTEGERS, TEXTS};
  finish(rows);
  column *columns = take(sizeof(column) * (wm_writes_len + 1), 8);
  __builtin_memset(columns, 0, sizeof(column) * wm_writes_len);
  for (uint32_t field = 0; field < wm_writes_len; field++) {
    wm_kind kind = wm_writes[field].kind;
    list values = {rows->values[field].data, rows->count};
    columns[field].layout = LAYOUT[kind];
    if (width(kind) == 4) columns[field].strings = (strings){values, {rows->bytes[field].data, rows->bytes[field].len}};
    else columns[field].values = values;
    if (rows->nulls[field]) columns[field].valid = (list){rows->valid[field].data, rows->count};
  }
  emitted *emitted = take(sizeof *emitted, 8);
  emitted->count = rows->count;
  emitted->origins = (list){rows->origins.data, rows->count};
  emitted->columns = (list){columns, wm_writes_len};
  return (list){emitted, 1};
}

// --- Configuration

static list config;

// The value of a key of the outermost table, where it begins.
static const char *config_value(const char *key) {
  const char *at = config.data, *end = at + config.len;
  int depth = 0;
  for (; at < end; at++) {
    if (*at == '{' || *at == '[') depth++;
    if (*at == '}' || *at == ']') depth--;
    if (*at != '"') continue;
    const char *word = ++at;
    while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
    const char *after = at + 1;
    while (after < end && *after == ' ') after++;
    bool same = depth == 1 && after < end && *after == ':' && (uint32_t)(at - word) == length(key);
    for (uint32_t i = 0; same && key[i]; i++) same = word[i] == key[i];
    if (!same) continue;
    for (after++; after < end && *after == ' ';) after++;
    return after;
  }
  return 0;
}

wm_text wm_config_text(const char *key, const char *otherwise) {
  const char *at = config_value(key), *end = (const char *)config.data + config.len;
  if (!at || *at != '"') return (wm_text){otherwise, length(otherwise)};
  const char *start = ++at;
  while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
  return (wm_text){start, at - start};
}

double wm_config_number(const char *key, double otherwise) {
  const char *at = config_value(key), *end = (const char *)config.data + config.len;
  if (!at || !(*at == '-' || (*at >= '0' && *at <= '9'))) return otherwise;
  double sign = *at == '-' ? (at++, -1.0) : 1.0, value = 0, scale = 1;
  for (; at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (*at - '0');
  if (at < end && *at == '.') {
    for (at++; at < end && *at >= '0' && *at <= '9'; at++) {
      value = value * 10 + (*at - '0');
      scale *= 10;
    }
  }
  return sign * value / scale;
}

// --- Words

__attribute__((import_module("wasmill:plugin/log@0.1.0"), import_name("log"))) void host_log(int level, const char *line, uint32_t len);

void wm_log(const char *line) { host_log(2, line, length(line)); }

const char *wm_join(const char *part, ...) {
  buffer all = {0};
  va_list parts;
  va_start(parts, part);
  for (; part; part = va_arg(parts, const char *)) __builtin_memcpy(more(&all, length(part)), part, length(part));
  va_end(parts);
  *more(&all, 1) = 0;
  return all.data;
}

const char *wm_number(double value) {
  char *out = take(64, 1), *at = out + 63;
  *at = 0;
  bool negative = value < 0;
  double positive = negative ? -value : value;
  if (positive > 9e12) return negative ? "-huge" : "huge";
  uint64_t millionths = (uint64_t)(positive * 1e6 + 0.5), whole = millionths / 1000000, rest = millionths % 1000000;
  for (int digit = 0, seen = 0; digit < 6; digit++, rest /= 10) {
    if (rest % 10 || seen) *--at = '0' + rest % 10, seen = 1;
  }
  if (*at) *--at = '.';
  do *--at = '0' + whole % 10;
  while (whole /= 10);
  if (negative) *--at = '-';
  return at;
}

// --- The contract

static answer *failed(answer *answer, const char *reason) {
  answer->failed = 1;
  answer->reason = text(reason);
  return answer;
}

static answer *describe(const char *json, uint32_t len, bool extends) {
  // It outlives the call, and so do the texts that the plugin keeps of it.
  config = (list){from_host(len + 1), len};
  __builtin_memcpy((char *)config.data, json, len);
  answer *answer = answered();
  const char *refusal = wm_configure();
  if (refusal) return failed(answer, refusal);
  field *reads = take(sizeof(field) * (wm_reads_len + 1), 4);
  for (uint32_t i = 0; i < wm_reads_len; i++) {
    const wm_read *read = &wm_reads[i];
    reads[i] = (field){text(read->name), text(read->path ? read->path : read->name), read->kind, read->optional, 0, 0};
  }
  output_field *writes = take(sizeof(output_field) * (wm_writes_len + 1), 4);
  for (uint32_t i = 0; i < wm_writes_len; i++) {
    const wm_write *write = &wm_writes[i];
    writes[i] = (output_field){text(write->name), write->kind, write->optional, 0, write->role, text(write->unit), text(write->doc)};
  }
  output *out = take(sizeof(output), 4);
  *out = (output){text("out"), {writes, wm_writes_len}, extends};
  answer->descriptor =
      (descriptor){text(WASMILL_NAME), text(WASMILL_VERSION), text(WASMILL_DOC), {reads, wm_reads_len}, {out, 1}, {0, 0}};
  return answer;
}

#ifdef WASMILL_TRANSFORMER

EXPORT(TRANSFORM "configure") answer *configure(const char *json, uint32_t len) { return describe(json, len, true); }
EXPORT("cabi_post_" TRANSFORM "configure") void after_configure(answer *answer) { call_over(); }

EXPORT(TRANSFORM "transform") answer *transform(uint32_t count, const column *columns, uint32_t columns_len) {
  answer *answer = answered();
  wm_rows *rows = rows_of_call(), *before = rows_of_call();
  buffer rejects = {0};
  for (uint32_t row = 0; row < count; row++) {
    rows->origin = row;
    uint32_t written = rows->count;
    const char *reason = wm_transform((wm_event){columns, row}, rows);
    if (reason) {
      *(reject *)more(&rejects, sizeof(reject)) = (reject){row, text(reason)};
      // A plugin refuses before it writes; one that does not has its rows taken back.
      if (rows->count != written) *rows = *before;
    }
    finish(rows);
    *before = *rows;
  }
  answer->results = (results){emitted_of(rows), {rejects.data, rejects.len / sizeof(reject)}};
  return answer;
}
EXPORT("cabi_post_" TRANSFORM "transform") void after_transform(answer *answer) { call_over(); }

#endif

#ifdef WASMILL_AGGREGATOR

// States lie in blocks, which are zero until a slot is used.
#define BLOCK 1024u
static char *blocks[16384];

static char *state_of(uint32_t slot) {
  char **block = &blocks[slot / BLOCK];
  if (!*block) *block = from_host(BLOCK * wm_state_size);
  return *block + (slot % BLOCK) * wm_state_size;
}

EXPORT(AGGREGATE "configure") answer *configure(const char *json, uint32_t len) { return describe(json, len, false); }
EXPORT("cabi_post_" AGGREGATE "configure") void after_configure(answer *answer) { call_over(); }

EXPORT(AGGREGATE "accumulate")
answer *accumulate(uint32_t count, const column *columns, uint32_t columns_len, const uint32_t *rows, uint32_t rows_len,
                   const uint32_t *slots, uint32_t slots_len) {
  answer *answer = answered();
  buffer rejects = {0};
  for (uint32_t pair = 0; pair < slots_len; pair++) {
    uint32_t row = rows_len ? rows[pair] : pair;
    const char *reason = wm_add(state_of(slots[pair]), (wm_event){columns, row});
    if (reason) *(reject *)more(&rejects, sizeof(reject)) = (reject){row, text(reason)};
  }
  answer->list = (list){rejects.data, rejects.len / sizeof(reject)};
  return answer;
}
EXPORT("cabi_post_" AGGREGATE "accumulate") void after_accumulate(answer *answer) { call_over(); }

EXPORT(AGGREGATE "merge") answer *merge(const uint32_t *into, uint32_t into_len, const uint32_t *other, uint32_t other_len) {
  for (uint32_t pair = 0; pair < into_len; pair++) wm_merge(state_of(into[pair]), state_of(other[pair]));
  return answered();
}
EXPORT("cabi_post_" AGGREGATE "merge") void after_merge(answer *answer) { call_over(); }

EXPORT(AGGREGATE "emit")
answer *emit(const uint32_t *slots, uint32_t slots_len, const window *windows, uint32_t windows_len, const column *keys,
             uint32_t keys_len, int firing) {
  answer *answer = answered();
  wm_rows *rows = rows_of_call();
  for (uint32_t at = 0; at < slots_len; at++) {
    window window = windows[windows_len == 1 ? 0 : at];
    wm_emission emission = {window.start, window.end, firing, {keys, at}};
    rows->origin = at;
    wm_emit(state_of(slots[at]), &emission, rows);
  }
  answer->results = (results){emitted_of(rows), {0, 0}};
  return answer;
}
EXPORT("cabi_post_" AGGREGATE "emit") void after_emit(answer *answer) { call_over(); }

typedef struct { uint32_t writes; list restores; } state_versions;
EXPORT(STATE "versions") state_versions *versions(void) {
  static state_versions both;
  both = (state_versions){wm_state_version, {&wm_state_version, 1}};
  return &both;
}

EXPORT(STATE "snapshot") answer *snapshot(const uint32_t *slots, uint32_t len) {
  answer *answer = answered();
  uint32_t *ends = take(4 * (len + 1), 4);
  char *data = take(wm_state_size * (len + 1), 8);
  for (uint32_t at = 0; at < len; at++) {
    __builtin_memcpy(data + at * wm_state_size, state_of(slots[at]), wm_state_size);
    ends[at] = (at + 1) * wm_state_size;
  }
  answer->strings = (strings){{ends, len}, {data, len * wm_state_size}};
  return answer;
}
EXPORT("cabi_post_" STATE "snapshot") void after_snapshot(answer *answer) { call_over(); }

EXPORT(STATE "restore")
answer *restore(const uint32_t *slots, uint32_t len, uint32_t version, const uint32_t *ends, uint32_t ends_len, const char *data,
                uint32_t data_len) {
  answer *answer = answered();
  if (version != wm_state_version) return failed(answer, "this version of the state is not known");
  for (uint32_t at = 0; at < len; at++) {
    uint32_t start = at ? ends[at - 1] : 0;
    if (ends[at] - start != wm_state_size) return failed(answer, "a state has another length than the struct");
    __builtin_memcpy(state_of(slots[at]), data + start, wm_state_size);
  }
  return answer;
}
EXPORT("cabi_post_" STATE "restore") void after_restore(answer *answer) { call_over(); }

EXPORT(STATE "forget") void forget(const uint32_t *slots, uint32_t len) {
  for (uint32_t at = 0; at < len; at++) __builtin_memset(state_of(slots[at]), 0, wm_state_size);
  call_over();
}

#endif
