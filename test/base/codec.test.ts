import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import {
  bool,
  bytes,
  codec,
  fixedBytes,
  hash,
  list,
  nullable,
  oneOf,
  struct,
  text,
  uint,
  uint64,
  union,
  type Codec,
} from '../../src/base/codec.ts';
import { AssertionError } from '../../src/base/assert.ts';
import { sha256Hex, type Hash } from '../../src/base/hash.ts';

interface Sample {
  readonly count: number;
  readonly uptimeNs: bigint;
  readonly staked: boolean;
  readonly name: string;
  readonly role: 'reader' | 'validator';
  readonly signature: Uint8Array;
  readonly key: Uint8Array;
  readonly parent: Hash;
  readonly next: Hash | null;
  readonly addresses: readonly string[];
  readonly action: Action;
}

type Action = { readonly kind: 'joined'; readonly version: string } | { readonly kind: 'left'; readonly seq: number };

const sample: Codec<Sample> = codec(
  struct<Sample>({
    count: uint(),
    uptimeNs: uint64,
    staked: bool,
    name: text(40),
    role: oneOf(['reader', 'validator']),
    signature: bytes(96),
    key: fixedBytes(4),
    parent: hash,
    next: nullable(hash),
    addresses: list(text(20), 5),
    action: union<Action>({ joined: struct({ version: text(20) }), left: struct({ seq: uint(1000) }) }),
  }),
  2048,
);

const wellFormed = (maxLength: number) =>
  fc.string({ unit: 'binary', maxLength }).filter((value) => value.isWellFormed() && value.length <= maxLength);
const hashes = fc.uint8Array({ maxLength: 8 }).map((input) => sha256Hex(input));
const samples: fc.Arbitrary<Sample> = fc.record({
  count: fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(127, 128, 2 ** 16, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1)),
  uptimeNs: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
  staked: fc.boolean(),
  name: wellFormed(40),
  role: fc.constantFrom('reader', 'validator'),
  signature: fc.uint8Array({ maxLength: 96 }),
  key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  parent: hashes,
  next: fc.option(hashes),
  addresses: fc.array(wellFormed(20), { maxLength: 5 }),
  action: fc.oneof(
    fc.record({ kind: fc.constant('joined' as const), version: wellFormed(20) }),
    fc.record({ kind: fc.constant('left' as const), seq: fc.nat(1000) }),
  ),
});

const hex = (digits: string): Uint8Array => fromHex(digits.replaceAll(' ', '')) as Uint8Array;

function codeOf(result: ReturnType<Codec<unknown>['decode']>): string {
  return result.ok ? `accepted ${JSON.stringify(result.value)}` : result.refusal.code;
}

describe('a value', () => {
  test('survives a round trip', () => {
    fc.assert(
      fc.property(samples, (value) => {
        expect(sample.decode(sample.encode(value))).toEqual({ ok: true, value });
      }),
    );
  });

  test('is encoded as msgpackr encodes its tuple', () => {
    const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'bigint' });
    const fromText = (digits: Hash) => fromHex(digits);
    fc.assert(
      fc.property(samples, (value) => {
        const { action, addresses, count, key, name, next, parent, role, signature, staked, uptimeNs } = value;
        const body = action.kind === 'joined' ? [0, [action.version]] : [1, [action.seq]];
        const kind = role === 'reader' ? 0 : 1;
        const link = next === null ? null : fromText(next);
        const tuple = [count, uptimeNs, staked, name, kind, signature, key, fromText(parent), link, addresses, body];
        expect(toHex(sample.encode(value))).toBe(toHex(packr.pack(tuple)));
      }),
    );
  });

  test.each([0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536])(
    'of length %i is encoded as msgpackr encodes it',
    (length) => {
      const packr = new Packr({ useRecords: false });
      const many = codec(
        struct({ list: list(bool, 1 << 20), bytes: bytes(1 << 20), ascii: text(1 << 20), text: text(1 << 20) }),
        1 << 22,
      );
      const value = {
        list: Array.from({ length }, (_, i) => i % 3 === 0),
        bytes: new Uint8Array(length).fill(7),
        ascii: 'a'.repeat(length),
        text: `${'a'.repeat(Math.max(0, length - 1))}\u00e9`,
      };
      const encoded = many.encode(value);
      expect(Buffer.compare(encoded, packr.pack(Object.values(value)))).toBe(0);
      expect(many.decode(encoded)).toEqual({ ok: true, value });
    },
  );

  test('has one encoding: what is accepted encodes to the bytes that came', () => {
    fc.assert(
      fc.property(
        samples,
        fc.nat(),
        fc.nat(255),
        fc.constantFrom('flip', 'insert', 'delete', 'cut'),
        (value, at, byte, how) => {
          const altered = alter([...sample.encode(value)], at, byte, how);
          const result = sample.decode(altered);
          if (result.ok) expect(toHex(sample.encode(result.value))).toBe(toHex(altered));
          else expect(['undecodable', 'non-canonical']).toContain(result.refusal.code);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('is not changed with another encoding, and keeps little of others alive', () => {
    const first = sample.encode(fc.sample(samples, { numRuns: 1, seed: 7 })[0] as Sample);
    const before = toHex(first);
    for (const value of fc.sample(samples, { numRuns: 50, seed: 8 })) sample.encode(value);
    expect(toHex(first)).toBe(before);
    expect(first.buffer.byteLength).toBeLessThanOrEqual(Math.max(first.length, 4096));
  });
});

function alter(encoded: number[], at: number, byte: number, how: 'flip' | 'insert' | 'delete' | 'cut'): Uint8Array {
  const position = at % encoded.length;
  if (how === 'flip') encoded[position] = byte;
  if (how === 'insert') encoded.splice(position, 0, byte);
  if (how === 'delete') encoded.splice(position, 1);
  if (how === 'cut') encoded.length = position;
  return Uint8Array.from(encoded);
}

describe('another spelling of a value is refused:', () => {
  const number = codec(uint(), 64);
  const bigint = codec(uint64, 64);
  const string = codec(text(64), 128);
  const binary = codec(bytes(64), 128);
  const numbers = codec(list(uint(), 64), 256);

  test.each([
    ['a small number in two bytes', number, 'cc05', 'non-canonical'],
    ['a small number in three bytes', number, 'cd0005', 'non-canonical'],
    ['a small number in five bytes', number, 'ce00000005', 'non-canonical'],
    ['a signed number', number, 'd005', 'undecodable'],
    ['a small number as a float', number, 'ca40a00000', 'undecodable'],
    ['a small number as a double', number, 'cb4014000000000000', 'non-canonical'],
    ['minus zero', number, 'cb8000000000000000', 'non-canonical'],
    ['a number of 64 bits', number, 'cf0000000000000005', 'undecodable'],
    ['a negative number', number, 'ff', 'undecodable'],
    ['a fraction', number, 'cb3fe0000000000000', 'undecodable'],
    ['not a number', number, 'cb7ff8000000000000', 'undecodable'],
    ['infinity', number, 'cb7ff0000000000000', 'undecodable'],
    ['a number past 2^53', number, 'cb4340000000000000', 'undecodable'],
    ['a bigint as unsigned', bigint, 'cf0000000000000005', 'undecodable'],
    ['a bigint past 2^63', bigint, 'cf8000000000000000', 'undecodable'],
    ['a negative bigint', bigint, 'd3ffffffffffffffff', 'undecodable'],
    ['a bigint as a small number', bigint, '05', 'undecodable'],
    ['a short text with a long header', string, 'd90161', 'non-canonical'],
    ['a text with a two-byte length', string, 'da000161', 'non-canonical'],
    ['a text with a four-byte length', string, 'db0000000161', 'non-canonical'],
    ['a text that is not UTF-8', string, 'a1ff', 'undecodable'],
    ['an overlong text', string, 'a2c0af', 'undecodable'],
    ['a lone surrogate', string, 'a3eda080', 'undecodable'],
    ['text as bytes', string, 'c40161', 'undecodable'],
    ['bytes as text', binary, 'a161', 'undecodable'],
    ['bytes with a long header', binary, 'c5000161', 'non-canonical'],
    ['bytes with a longer header', binary, 'c60000000161', 'non-canonical'],
    ['a list with a long header', numbers, 'dc000105', 'non-canonical'],
    ['a list with a longer header', numbers, 'dd0000000105', 'non-canonical'],
    ['a list that is a map', numbers, '8105 05', 'undecodable'],
    ['nothing', number, '', 'undecodable'],
    ['nil', number, 'c0', 'undecodable'],
    ['undefined', number, 'd40000', 'undecodable'],
    ['the byte that is never used', number, 'c1', 'undecodable'],
    ['a byte after the end', number, '0500', 'undecodable'],
    ['a byte missing', number, 'cd01', 'undecodable'],
  ] as const)('%s', (_name, codec, digits, code) => {
    expect(codeOf((codec as Codec<unknown>).decode(hex(digits)))).toBe(code);
  });

  test('an encoding longer than allowed is refused before it is looked at', () => {
    expect(number.decode(new Uint8Array(65))).toMatchObject({
      ok: false,
      refusal: { code: 'too-large', details: { bytes: 65, maxBytes: 64 } },
    });
  });

  test.each([
    ['a tuple that is too short', '91 05'],
    ['a tuple that is too long', '93 05 05 05'],
    ['an unknown kind', '92 02 91 05'],
    ['a kind that is no number', '92 a1 61 91 05'],
    ['a kind between two', '92 cb3fe0000000000000 91 05'],
    ['a negative kind', '92 ff 91 05'],
  ])('%s', (_name, digits) => {
    const action = codec(union<Action>({ joined: struct({ version: text(9) }), left: struct({ seq: uint() }) }), 64);
    expect(codeOf(action.decode(hex(digits)))).toBe('undecodable');
  });
});

describe('hostile bytes', () => {
  const nested = codec(list(list(list(uint(), 9), 9), 9), 1 << 20);

  test('of any kind are answered, never thrown at the caller', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        const result = sample.decode(input);
        if (!result.ok) expect(['undecodable', 'non-canonical']).toContain(result.refusal.code);
      }),
      { numRuns: 5000 },
    );
  });

  const repeated = (unit: string, times: number): Uint8Array => hex(unit.repeat(times));

  test.each([
    ['a million lists in each other', repeated('91', 1_000_000)],
    ['a million maps in each other', repeated('8100', 500_000)],
    ['lists in each other that each announce 30 million items', repeated('dd01ffffff', 200_000)],
    ['a list that announces four billion items', hex('ddffffffff')],
    ['a map that announces four billion entries', hex('dfffffffff')],
    ['a text that announces four gigabytes', hex('dbffffffff61')],
    ['bytes that announce four gigabytes', hex('c6ffffffff61')],
    ['an extension that announces four gigabytes', hex('c9ffffffff72')],
    ['a million small values with one byte too many', hex('dd000f4200' + '05'.repeat(1_000_000 - 10))],
  ])('%s cost little and are refused', (_name, input) => {
    const before = process.memoryUsage();
    expect(codeOf(nested.decode(input))).toBe('undecodable');
    const after = process.memoryUsage();
    expect(after.heapTotal + after.arrayBuffers - before.heapTotal - before.arrayBuffers).toBeLessThan(200 << 20);
  });

  const extensions = ['d4', 'd5', 'd6', 'd7', 'd8', 'c7', 'c8', 'c9'];
  test.each(extensions)('an extension (%s) is refused, whatever its type', (token) => {
    for (let type = 0; type < 256; type++) {
      const typed = type.toString(16).padStart(2, '0');
      const header = { c7: 'c708', c8: 'c80008', c9: 'c900000008' }[token] ?? token;
      const body = '0102030405060708'.repeat(2);
      const size = { d4: 1, d5: 2, d6: 4, d7: 8, d8: 16 }[token] ?? 8;
      const input = hex(`91${header}${typed}${body.slice(0, 2 * size)}`);
      expect(codec(list(uint(), 9), 99).decode(input).ok).toBe(false);
      expect(codec(list(text(99), 9), 99).decode(input).ok).toBe(false);
      expect(codec(list(bytes(99), 9), 99).decode(input).ok).toBe(false);
      expect(codec(list(nullable(uint()), 9), 99).decode(input).ok).toBe(false);
    }
  });

  test('leave nothing behind that changes how the next bytes read', () => {
    const numbers = codec(list(uint(), 99), 999);
    const values = Array.from({ length: 99 }, (_, i) => i + 40);
    const encoded = numbers.encode(values);
    const records = new Packr({ useRecords: true });
    const bundled = new Packr({ bundleStrings: true, useRecords: false });
    const attacks = [
      records.pack([{ a: 1 }, { a: 2, b: 3 }]),
      records.pack([[1, { constructor: 1, __proto__: 2 }]]),
      bundled.pack(Array.from({ length: 30 }, (_, i) => `text ${i}`)),
      hex('81a95f5f70726f746f5f5f 81a1 78 01'),
      hex('92d4724091a16101'),
      hex('92d6690000000190d67000000001'),
    ];
    for (const attack of attacks) {
      expect(numbers.decode(new Uint8Array(attack)).ok).toBe(false);
      expect(numbers.decode(new Uint8Array(attack).subarray(0, attack.length - 1)).ok).toBe(false);
      expect(numbers.decode(encoded)).toEqual({ ok: true, value: values });
      expect(toHex(numbers.encode(values))).toBe(toHex(encoded));
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('decode the same from the middle of a larger buffer, which stays as it was', () => {
    fc.assert(
      fc.property(samples, (value) => {
        const encoded = sample.encode(value);
        const larger = new Uint8Array(encoded.length + 20).fill(0xc1);
        larger.set(encoded, 10);
        expect(sample.decode(larger.subarray(10, 10 + encoded.length))).toEqual({ ok: true, value });
        expect(larger.subarray(10, 10 + encoded.length)).toEqual(encoded);
      }),
    );
  });

  test('of this program itself are read without comparison, and their corruption stops it', () => {
    fc.assert(
      fc.property(samples, (value) => {
        expect(sample.decodeOwn(sample.encode(value))).toEqual(value);
      }),
    );
    expect(() => sample.decodeOwn(Uint8Array.of(0xc1))).toThrow(AssertionError);
  });
});
