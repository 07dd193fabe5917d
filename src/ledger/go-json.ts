/**
 * JSON as Go's `encoding/json` takes it (Go 1.15 to 1.22, `scanner.go`, `decode.go`, `indent.go`), on bytes: a node of the
 * older system applies a command or refuses it by these rules, and so must whoever shares its log.
 *
 * Where it differs from `JSON.parse`: bytes that are no UTF-8 are taken (each becomes U+FFFD in a text, and stays as it is
 * in a raw value), numbers keep their digits, more than 10,000 levels are refused, and nothing is recursive, so that no
 * depth of input is a depth of the stack.
 */
/** `maxNestingDepth` of Go's scanner. */
export const MAX_JSON_DEPTH = 10_000;

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_U = 0x75;

/** No value, or none that is well formed, begins where one was looked for. */
const NONE = -1;

/** A part of some bytes: the end is not in it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A member of an object: its name with the quotes, and its value. */
export interface MemberSpans {
  readonly name: Span;
  readonly value: Span;
}

/** The one value that the bytes are, with space around it; undefined where they are anything else. */
export function wholeValue(bytes: Uint8Array): Span | undefined {
  const from = skipSpace(bytes, 0);
  const to = valueEnd(bytes, from);
  return to !== NONE && skipSpace(bytes, to) === bytes.length ? { from, to } : undefined;
}

/** @returns the first place at or after `at` that is not space */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let place = at;
  while (isSpace(bytes[place])) place++;
  return place;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** @returns the place after the value that begins at `start`, or -1 */
function valueEnd(bytes: Uint8Array, start: number): number {
  /** The closing brackets that are waited for. */
  const open: number[] = [];
  let at = start;
  do {
    const first = bytes[at];
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (open.length === MAX_JSON_DEPTH) return NONE;
      open.push(first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY);
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== open.at(-1)) {
        if (first === OPEN_OBJECT) at = memberValue(bytes, at);
        if (at === NONE) return NONE;
        continue;
      }
    } else {
      at = scalarEnd(bytes, at);
      if (at === NONE) return NONE;
    }
    at = nextValue(bytes, at, open);
  } while (open.length > 0 && at !== NONE);
  return at;
}

/**
 * From the end of a value to the next one, over the brackets that close behind it.
 *
 * @returns the place after the outermost value where nothing is open any more; -1 where something else follows
 */
function nextValue(bytes: Uint8Array, end: number, open: number[]): number {
  let at = end;
  for (let closing = open.at(-1); closing !== undefined; closing = open.at(-1)) {
    at = skipSpace(bytes, at);
    if (bytes[at] === closing) {
      open.pop();
      at++;
    } else if (bytes[at] === COMMA) {
      at = skipSpace(bytes, at + 1);
      return closing === CLOSE_OBJECT ? memberValue(bytes, at) : at;
    } else {
      return NONE;
    }
  }
  return at;
}

/** @returns where the value of the member begins whose name begins at `at` */
function memberValue(bytes: Uint8Array, at: number): number {
  const nameEnd = stringEnd(bytes, at);
  if (nameEnd === NONE) return NONE;
  const colon = skipSpace(bytes, nameEnd);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : NONE;
}

const LITERALS = ['true', 'false', 'null'].map((text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0)));

function scalarEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return stringEnd(bytes, at);
  if (first === MINUS || isDigit(first)) return numberEnd(bytes, at);
  const literal = LITERALS.find((text) => text.every((letter, index) => bytes[at + index] === letter));
  return literal === undefined ? NONE : at + literal.length;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** `-? (0 | [1-9] digits) (. digits)? ([eE] [+-]? digits)?` (RFC 8259, section 6) */
function numberEnd(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  at = bytes[at] === ZERO ? at + 1 : digitsEnd(bytes, at);
  if (at !== NONE && bytes[at] === POINT) at = digitsEnd(bytes, at + 1);
  if (at !== NONE && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    at = digitsEnd(bytes, sign === MINUS || sign === 0x2b ? at + 2 : at + 1);
  }
  return at;
}

/** At least one. */
function digitsEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at > start ? at : NONE;
}

/** Of a string with its quotes, well formed: no control characters, escapes that exist. */
function stringEnd(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) return NONE;
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20) return NONE;
    if (byte !== BACKSLASH) continue;
    at++;
    if (bytes[at] === LETTER_U) {
      if (hexUnit(bytes, at - 1, bytes.length) === undefined) return NONE;
      at += 4;
    } else if (!SIMPLE_ESCAPES.has(bytes[at] ?? NONE)) {
      return NONE;
    }
  }
  return NONE;
}

const SIMPLE_ESCAPES: ReadonlyMap<number, string> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, meant]) => [letter.charCodeAt(0), meant],
  ),
);

/** The unit of a `\uXXXX` at `at`, of which all is before `to`. */
function hexUnit(bytes: Uint8Array, at: number, to: number): number | undefined {
  if (at + 6 > to || bytes[at] !== BACKSLASH || bytes[at + 1] !== LETTER_U) return undefined;
  let unit = 0;
  for (let place = at + 2; place < at + 6; place++) {
    const digit = hexDigit(bytes[place] as number);
    if (digit === NONE) return undefined;
    unit = unit * 16 + digit;
  }
  return unit;
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : NONE;
}

/** @param object the span of a well-formed object */
export function* membersOf(bytes: Uint8Array, object: Span): Generator<MemberSpans, void> {
  let at = skipSpace(bytes, object.from + 1);
  while (bytes[at] === QUOTE) {
    const name = { from: at, to: stringEnd(bytes, at) };
    const from = memberValue(bytes, at);
    const value = { from, to: valueEnd(bytes, from) };
    yield { name, value };
    at = skipSpace(bytes, value.to);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
}

/** The one member that the bytes are, with space around it; undefined where they are anything else. */
export function memberOf(bytes: Uint8Array): MemberSpans | undefined {
  const from = skipSpace(bytes, 0);
  const at = memberValue(bytes, from);
  const to = at === NONE ? NONE : valueEnd(bytes, at);
  if (to === NONE || skipSpace(bytes, to) !== bytes.length) return undefined;
  return { name: { from, to: stringEnd(bytes, from) }, value: { from: at, to } };
}

export function isObject(bytes: Uint8Array, { from }: Span): boolean {
  return bytes[from] === OPEN_OBJECT;
}

export function isString(bytes: Uint8Array, { from }: Span): boolean {
  return bytes[from] === QUOTE;
}

/** `null` alone, of a well-formed value. */
export function isNull(bytes: Uint8Array, { from }: Span): boolean {
  return bytes[from] === 0x6e;
}

/**
 * The text of a well-formed string, as Go's `unquote` reads it: a byte that is no UTF-8, and a surrogate without its other
 * half, is U+FFFD. So what comes out is always well formed.
 *
 * @param quoted with its quotes
 */
export function stringText(bytes: Uint8Array, quoted: Span): string {
  const to = quoted.to - 1;
  let text = '';
  for (let at = quoted.from + 1; at < to;) {
    const byte = bytes[at] as number;
    if (byte === BACKSLASH) {
      const escape = escapeAt(bytes, at, to);
      text += escape.text;
      at += escape.length;
    } else if (byte < 0x80) {
      text += String.fromCharCode(byte);
      at++;
    } else {
      const length = sequenceLength(bytes, at, to);
      text += length === 0 ? '\ufffd' : String.fromCodePoint(codePointAt(bytes, at, length));
      at += Math.max(1, length);
    }
  }
  return text;
}

function escapeAt(bytes: Uint8Array, at: number, to: number): { readonly text: string; readonly length: number } {
  const unit = hexUnit(bytes, at, to);
  if (unit === undefined) return { text: SIMPLE_ESCAPES.get(bytes[at + 1] as number) ?? '', length: 2 };
  if (unit < 0xd800 || unit > 0xdfff) return { text: String.fromCharCode(unit), length: 6 };
  const low = unit < 0xdc00 ? hexUnit(bytes, at + 6, to) : undefined;
  if (low === undefined || low < 0xdc00 || low > 0xdfff) return { text: '\ufffd', length: 6 };
  return { text: String.fromCharCode(unit, low), length: 12 };
}

/** Of the UTF-8 sequence at `at`, 2 to 4; 0 where there is none (Go's `utf8.DecodeRune`, Unicode table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number, to: number): number {
  const first = bytes[at] as number;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > to) return 0;
  const second = bytes[at + 1] as number;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let place = at + 2; place < at + length; place++) if (((bytes[place] as number) & 0xc0) !== 0x80) return 0;
  return length;
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  let point = (bytes[at] as number) & (0x7f >> length);
  for (let place = at + 1; place < at + length; place++) point = (point << 6) | ((bytes[place] as number) & 0x3f);
  return point;
}

/** A well-formed value without the space that means nothing, all else byte for byte (Go's `json.Compact`). */
export function compactValue(bytes: Uint8Array, { from, to }: Span): Uint8Array {
  const compact = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to;) {
    const end = bytes[at] === QUOTE ? stringEnd(bytes, at) : at + 1;
    if (!isSpace(bytes[at])) {
      compact.set(bytes.subarray(at, end), length);
      length += end - at;
    }
    at = end;
  }
  return compact.slice(0, length);
}
