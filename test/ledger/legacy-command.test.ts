import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, textFromUtf8, toHex, utf8 } from '../../src/base/bytes.ts';
import { MAX_JSON_DEPTH, wholeValue } from '../../src/ledger/go-json.ts';
import { decodeLegacyCommand, legacyKeyJson } from '../../src/ledger/legacy-command.ts';
import { codeOf } from './nodes.ts';
import { legacyCommandBytes } from './legacy-commands.ts';

interface Captured {
  readonly data: string;
  readonly op?: string;
  readonly key?: string;
  readonly value?: string;
}

const vectors = new URL('../vectors/go-json/commands.json', import.meta.url);
const captured = JSON.parse(readFileSync(vectors, 'utf8')) as readonly Captured[];

function ownReading(data: string): Captured {
  const decoded = decodeLegacyCommand(fromHex(data) as Uint8Array);
  if (!decoded.ok) return { data };
  const { key, operation: op, value } = decoded.value;
  return { data, op, key, value: toHex(value) };
}

const decodeText = (text: string) => decodeLegacyCommand(utf8(text));

describe('a command of the older system', () => {
  test('is read as the real Go program reads it', () => {
    expect(captured.filter(({ op }) => op !== undefined).length).toBeGreaterThan(100);
    expect(captured.map(({ data }) => ownReading(data))).toEqual(captured);
  });

  test('keeps the digits of its numbers and loses the space between them', () => {
    const decoded = decodeText('{"Op":"set","Key":"n","Value":[ 1.0 , 12345678901234567890,\n1E5 ,"a b" ]}');
    expect(decoded.ok && textFromUtf8(decoded.value.value)).toBe('[1.0,12345678901234567890,1E5,"a b"]');
  });

  test('keeps bytes that are no text in its value, and names U+FFFD for each in its key', () => {
    const data = Uint8Array.from([
      ...utf8('{"Op":"set","Key":"'),
      0xe2,
      0x82,
      ...utf8('","Value":"'),
      0xff,
      0x22,
      0x7d,
    ]);
    const decoded = decodeLegacyCommand(data);
    expect(decoded.ok && decoded.value).toMatchObject({ key: '\ufffd\ufffd', value: Uint8Array.of(0x22, 0xff, 0x22) });
  });

  test.each([
    ['{"Op":"set"', 'legacy-command-malformed'],
    ['["set"]', 'legacy-command-malformed'],
    ['{"Op":"set","Key":7,"Value":1}', 'legacy-command-malformed'],
    ['null', 'legacy-operation-unknown'],
    ['{"Op":"delete","Key":"a","Value":1}', 'legacy-operation-unknown'],
    ['{"Op":"set","Key":"a"}', 'legacy-value-missing'],
  ])('%s is refused as %s', (text, code) => {
    expect(codeOf(decodeText(text))).toBe(code);
  });

  test('is refused by its depth, not by that of the stack', () => {
    const nested = (depth: number) => `{"Op":"set","Value":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(codeOf(decodeText(nested(MAX_JSON_DEPTH - 1)))).toBe('applied');
    expect(codeOf(decodeText(nested(MAX_JSON_DEPTH)))).toBe('legacy-command-malformed');
    expect(codeOf(decodeText(nested(2_000_000)))).toBe('legacy-command-malformed');
  });

  test('never throws, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.oneof(legacyCommandBytes, fc.uint8Array({ maxLength: 40 })), (data) => {
        decodeLegacyCommand(data);
      }),
    );
  });
});

test('JSON in UTF-8 is taken exactly when JSON.parse takes it', () => {
  fc.assert(
    fc.property(legacyCommandBytes, (data) => {
      let text: string;
      try {
        text = textFromUtf8(data);
      } catch {
        return;
      }
      let parses = true;
      try {
        JSON.parse(text);
      } catch {
        parses = false;
      }
      expect(wholeValue(data) !== undefined).toBe(parses);
    }),
  );
});

test('a key is written as Go 1.19 writes it, and read back', () => {
  expect(legacyKeyJson('a"\\/<&>\b\f\n\r\t\u0000\u001f\x7f\u2028é\u{1f600}')).toBe(
    '"a\\"\\\\/<&>\\u0008\\u000c\\n\\r\\t\\u0000\\u001f\x7f\\u2028é\u{1f600}"',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (key) => {
      const decoded = decodeText(`{"Op":"set","Key":${legacyKeyJson(key)},"Value":1}`);
      expect(decoded.ok && decoded.value.key).toBe(key);
    }),
  );
});
