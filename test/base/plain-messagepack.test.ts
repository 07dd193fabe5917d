import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex } from '../../src/base/bytes.ts';
import { bytes, codec, list } from '../../src/base/codec.ts';
import { whyNotPlain } from '../../src/base/plain-messagepack.ts';

const hex = (digits: string): Uint8Array => fromHex(digits.replaceAll(' ', '')) as Uint8Array;

describe('plain MessagePack', () => {
  test('is what codecs encode: arrays, numbers of every width, text, bytes, booleans and null', () => {
    const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'bigint' });
    const long = [new Uint8Array(300), 'x'.repeat(300), new Uint8Array(70_000), 'x'.repeat(70_000)];
    const many = Array.from({ length: 70_000 }, (_, i) => i);
    for (const value of [
      0,
      127,
      128,
      300,
      70_000,
      2 ** 32,
      2 ** 53 - 1,
      5n,
      -1,
      -200,
      -40_000,
      'text',
      '',
      true,
      null,
    ]) {
      expect(whyNotPlain(packr.pack([value, [], [[value]], new Uint8Array(3)]))).toBeUndefined();
    }
    for (const value of [...long, many, many.slice(0, 300)]) expect(whyNotPlain(packr.pack([value]))).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['a map', '80'],
    ['a long map', 'df 0000 0001 00 00'],
    ['a value that was given before', '92 d669 0000 0001 01 d670 0000 0001'],
    ['texts put together', '91 c704 62 0000 0006 a0'],
    ['a time', 'd6ff 0000 0000'],
    ['a token without meaning', 'c1'],
    ['an array that is cut off', '92 00'],
    ['an array of four thousand million values', 'dd ffff ffff 00'],
    ['bytes that are cut off', 'c4 05 01'],
    ['bytes of four thousand million', 'c6 ffff ffff 00'],
    ['a length that is cut off', 'db 0000'],
    ['two values', '00 00'],
    ['an array and a value', '91 00 00'],
  ])('is not %s', (_name, digits) => {
    expect(whyNotPlain(hex(digits))).toEqual(expect.any(String));
  });

  test('is not nested more deeply than any format, however long the bytes', () => {
    expect(whyNotPlain(new Uint8Array(1 << 20).fill(0x91))).toBe('nested too deeply');
  });
});

test('a value that stands for many cannot make a short encoding a long one', () => {
  const big = new Uint8Array(60_000);
  const head = hex('dc 03e9 d669 0000 0001 c5 ea60');
  const again = hex('d670 0000 0001');
  const short = concatBytes(head, big, ...Array.from({ length: 1000 }, () => again));
  const before = process.memoryUsage().arrayBuffers;
  const decoded = codec(list(bytes(60_000), 2000), 1 << 20).decode(short);
  expect(decoded).toMatchObject({ ok: false, refusal: { code: 'undecodable' } });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});
