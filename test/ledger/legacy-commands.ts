/** Commands of the older system, and what is almost one, for tests: texts of JSON with everything that Go reads in its own way. */
import fc from 'fast-check';

const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r ');

const pieces = fc.constantFrom(
  ...['a', 'set', '/', ' ', '<>&', 'é', '\u2028', '\u2029', '\u{1f600}', '\x7f', '\ufffd'],
  ...['\\n', '\\b\\f', '\\"', '\\\\', '\\/', '\\u0041', '\\u2028', '\\u0000', '\\ud83d\\ude00'],
  ...['\\ud800', '\\uDC00\\uD800', '\\ud800\\ud800\\udc00', '\\uFFFF'],
);
const string = fc.array(pieces, { maxLength: 3 }).map((parts) => `"${parts.join('')}"`);
const number = fc.constantFrom('0', '-0', '1.0', '1E+5', '-1.5e-3', '12345678901234567890', '1e999');
const scalar = fc.oneof(string, number, fc.constantFrom('true', 'false', 'null'));

const value = fc.letrec<{ value: string; member: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    listOf(tie('value'), '[', ']'),
    listOf(tie('member'), '{', '}'),
  ),
  member: fc.tuple(string, space, tie('value')).map(([name, before, held]) => `${name}${before}:${before}${held}`),
})).value;

function listOf(item: fc.Arbitrary<string>, open: string, close: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(item, { maxLength: 3 }), space)
    .map(([items, between]) => `${open}${between}${items.join(`${between},${between}`)}${between}${close}`);
}

const named = (names: readonly string[], held: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...names), space, held).map(([name, between, text]) => `"${name}"${between}:${text}`);

const OPERATIONS = ['Op', 'Op', 'op', 'oP', '\\u004fp'];
const KEYS = ['Key', 'Key', 'KEY', '\u212aey', '\\u212aey', 'k\\u0065y'];
const VALUES = ['Value', 'Value', 'value', 'vALUE'];
const OTHERS = ['Ops', 'Ke', '', 'Value ', 'ſet', 'Key\\u0000'];

const member = fc.oneof(
  named(OPERATIONS, fc.constantFrom('"set"', '"set"', '"updateNodeData"', '"Set"', 'null')),
  named(KEYS, fc.oneof({ weight: 5, arbitrary: string }, { weight: 1, arbitrary: fc.constant('null') })),
  named(VALUES, value),
  named(OTHERS, value),
);
const taken = fc.tuple(named(OPERATIONS, fc.constant('"set"')), named(KEYS, string), named(VALUES, value));

const commandText = fc
  .tuple(fc.array(member, { maxLength: 4 }), fc.option(taken, { freq: 8 }), space)
  .map(([others, whole, around]) => `${around}{${[...others, ...(whole ?? [])].join(`${around},`)}}${around}`);

/** Bytes that are no UTF-8, and marks of JSON, written over a text. */
const damage = fc.array(
  fc.record({
    place: fc.nat(),
    byte: fc.constantFrom(
      0xe2,
      0x82,
      0xed,
      0xa0,
      0xf4,
      0x90,
      0xc0,
      0x80,
      0xff,
      0xf0,
      0x9f,
      0x22,
      0x5c,
      0x7b,
      0x5d,
      0x2c,
    ),
  }),
  { maxLength: 3 },
);

export const legacyCommandBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(commandText, fc.option(damage, { freq: 2 }))
  .map(([text, changes]) => {
    const bytes = new TextEncoder().encode(text);
    for (const { byte, place } of changes ?? []) bytes[place % bytes.length] = byte;
    return bytes;
  });

/** What no text describes well: great depth on both sides of Go's bound, and nothing at all. */
export const EDGES: readonly Uint8Array[] = [
  ...['', ' ', 'null', '{}', '[]', '"Op"', '1', '\ufeff{"Op":"set","Value":1}', '{"Op":"set","Value":1}x'],
  ...[
    '{"Op":"set","Value":1,}',
    '{"Op":"set",,"Value":1}',
    '{"Op":"set" "Value":1}',
    '{Op:"set"}',
    '{"Op":"set","Value":01}',
  ],
  ...[
    '{"Op":"set","Value":tru}',
    '{"Op":"set","Value":"\t"}',
    '{"Op":"set","Value":"\\x"}',
    '{"Op":"set","Value":"\\u12g4"}',
  ],
  ...['{"Op":"set","Value":+1}', '{"Op":"set","Value":.5}', '{"Op":"set","Value":1.}', '{"Op":"set","Value":1e}'],
  ...['{"Op":"set","Value":-}', '{"Op":"set","Key":1,"Value":1}', '{"Op":["set"],"Value":1}', '{"Op":"set"}'],
  ...['{"Op":"set","Value":null}', '{"Key":"a","Op":"set","Key":null,"Value":1}', '{"Op":"set","Value":1,"value":2}'],
  ...[9999, 10_000].map((depth) => `{"Op":"set","Value":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  ...[9998, 9999].map((depth) => `{"Op":"set","Value":1,"x":${'{"a":'.repeat(depth)}{}${'}'.repeat(depth)}}`),
].map((text) => new TextEncoder().encode(text));

/** Snapshots of the older system: one JSON object, in any form that Go reads. */
export const legacySnapshotBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    listOf(
      fc.tuple(string, space, value).map(([name, before, held]) => `${name}${before}:${held}`),
      '{',
      '}',
    ),
    space,
  )
  .map(([text, around]) => new TextEncoder().encode(`${around}${text}${around}`));
