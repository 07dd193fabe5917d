/** What the older system, written in Go, takes for a command: rules that nobody would guess, asked of Go itself. */
import { describe, expect, test } from 'vitest';
import { needsGo } from './go-build.ts';
import { canonicalWithGo, decodeWithGo } from './go-decode.ts';

const hex = (text: string): string => Buffer.from(text).toString('hex');

describe.runIf(needsGo())("Go's encoding/json", () => {
  test.each([
    ['either operation', '{"Op":"updateNodeData","Key":"a","Value":{}}', 'updateNodeData', 'a', '{}'],
    ['names in any case', '{"op":"set","KEY":"a","vAlue":1}', 'set', 'a', '1'],
    ['the Kelvin sign for a K', '{"Op":"set","\u212aey":"a","Value":1}', 'set', 'a', '1'],
    ['the last of several', '{"Op":"set","Key":"a","key":"b","Value":1,"Value":2}', 'set', 'b', '2'],
    ['null for nothing', '{"Op":"set","Key":"a","Key":null,"Value":null}', 'set', 'a', 'null'],
    ['no key at all', '{"Op":"set","Value":1}', 'set', '', '1'],
    ['digits as they are', '{"Op":"set","Key":"a","Value":[ 1.0, 1E5 ]}', 'set', 'a', '[1.0,1E5]'],
    ['half a surrogate', '{"Op":"set","Key":"\\ud800","Value":"\\ud800 <&>"}', 'set', '\ufffd', '"\\ud800 <&>"'],
  ])('takes %s', async (_what, text, op, key, value) => {
    expect(await decodeWithGo([Buffer.from(text)])).toEqual([{ taken: true, op, key, value: hex(value) }]);
  });

  test.each([
    ['another operation', '{"Op":"delete","Key":"a","Value":1}'],
    ['no value', '{"Op":"set","Key":"a"}'],
    ['a key that is a number', '{"Op":"set","Key":1,"Value":1}'],
    ['null', 'null'],
    ['what follows', '{"Op":"set","Key":"a","Value":1} x'],
    ['nothing', ''],
  ])('does not take %s', async (_what, text) => {
    expect(await decodeWithGo([Buffer.from(text)])).toMatchObject([{ taken: false }]);
  });

  test('keeps bytes that are no text in a value, and answers for each of many commands in order', async () => {
    const broken = Buffer.concat([
      Buffer.from('{"Op":"set","Key":"a","Value":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const many = Array.from({ length: 500 }, (_, i) => Buffer.from(`{"Op":"set","Key":"k${i}","Value":${i}}`));
    const [first, ...others] = await decodeWithGo([broken, ...many]);
    expect(first).toMatchObject({ taken: true, value: '22ff22' });
    expect(others.map((decoded) => decoded.taken && decoded.key)).toEqual(many.map((_, i) => `k${i}`));
  });

  test('writes a snapshot with its keys by their bytes, without space, and escapes no HTML', async () => {
    const text = '{ "\u{1f600}": 1, "\uff5e": {"a": "<&>"}, "b\\u2028\\b": [ ], "b": "\\u0041" }';
    const canonical = '{"b":"\\u0041","b\\u2028\\u0008":[],"\uff5e":{"a":"<&>"},"\u{1f600}":1}';
    expect(await canonicalWithGo([Buffer.from(text)])).toEqual([{ taken: true, size: 4, canonical: hex(canonical) }]);
  });
});
