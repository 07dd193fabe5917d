import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import { bytes, codec, list, struct, text, uint } from '../../src/base/codec.ts';
import { ok } from '../../src/base/result.ts';
import { byteMutations } from './byte-mutations.ts';
import { codecDecoder, decoder, type Decoder } from './decoder.ts';
import { jsonMutations } from './json-mutations.ts';
import { nodeMutations } from './messagepack-mutations.ts';
import { parseTree, writeTree } from './messagepack-tree.ts';
import { mutantOf, mutationChoice } from './mutation.ts';
import { fuzzDecoder } from './run.ts';

const shape = struct({ number: uint(), name: text(64), parts: list(bytes(64), 16) });
const packed = codec(shape, 4096);
const SAMPLES = [
  { number: 5, name: 'five', parts: [Uint8Array.of(1, 2, 3), new Uint8Array(32)] },
  { number: 2 ** 40, name: 'much', parts: [] },
].map((value) => packed.encode(value));

const JSON_SAMPLES = ['{"a":[1,2,{"b":"c"}],"d":null}', '{"a":[],"e":true}'].map(utf8);

describe('mutations', () => {
  test('are a function of what was chosen', () => {
    fc.assert(
      fc.property(mutationChoice, (choice) => {
        const [one, other] = [1, 2].map(() => mutantOf(SAMPLES, choice, 'messagepack', 4096));
        expect(one).toEqual(other);
        expect(
          equalBytes(
            SAMPLES[0]!,
            packed.encode({ number: 5, name: 'five', parts: [Uint8Array.of(1, 2, 3), new Uint8Array(32)] }),
          ),
        ).toBe(true);
      }),
    );
  });

  test('of every kind come up, and most change something', () => {
    const seen = new Set<string>();
    let changed = 0;
    const choices = fc.sample(mutationChoice, { numRuns: 4000, seed: 1 });
    for (const choice of choices) {
      for (const [samples, format] of [[SAMPLES, 'messagepack'] as const, [JSON_SAMPLES, 'json'] as const]) {
        const mutant = mutantOf(samples, choice, format, 4096);
        for (const name of mutant.changes) seen.add(name.replace(' (JSON)', ''));
        if (!samples.some((sample) => equalBytes(sample, mutant.bytes))) changed++;
      }
    }
    const all = [byteMutations, nodeMutations, jsonMutations].flatMap((mutations) => Object.keys(mutations));
    expect(all.filter((name) => !seen.has(name))).toEqual([]);
    expect(changed / (2 * choices.length)).toBeGreaterThan(0.5);
  });

  test('read and write MessagePack as it was', () => {
    for (const sample of SAMPLES) expect(toHex(writeTree(parseTree(sample)!))).toBe(toHex(sample));
  });
});

/** Decoders that break one law each: the laws must notice. */
describe('a decoder is caught that', () => {
  const good = codecDecoder('good', 'none', packed, () => SAMPLES);
  const bad = (judge: Decoder['judge'], more: Partial<Decoder> = {}): Decoder => ({
    ...good,
    name: 'bad',
    ...more,
    judge,
  });
  const refusedBy = (code: string, message = '') =>
    ({ kind: 'refused', refusal: { code, message, details: {} } }) as const;
  const accepted = { kind: 'accepted', value: null, again: null } as const;

  const cases: readonly (readonly [string, Decoder, RegExp])[] = [
    ['throws', bad((bytes) => (bytes.length > 60 ? good.judge(undefined as never) : good.judge(bytes))), /thrown/],
    [
      'refuses by a code that nobody documented',
      bad((bytes) => (good.judge(bytes).kind === 'accepted' ? accepted : refusedBy('no-such-code'))),
      /docs\/errors\.md/,
    ],
    [
      'accepts two encodings of one value',
      decoder({
        ...{ name: 'bad', covers: [], format: 'json', maxBytes: 4096, samples: () => JSON_SAMPLES },
        decode: (input) => ok(JSON.parse(new TextDecoder().decode(input)) as unknown),
        encode: (value) => utf8(JSON.stringify(value)),
      }),
      /one encoding|thrown/,
    ],
    ['takes all bytes for one value', bad(() => accepted, { isOneToOne: true }), /no two inputs/],
    [
      'changes its input',
      bad((bytes) => {
        bytes.fill(0, 0, 1);
        return refusedBy('undecodable');
      }),
      /not changed/,
    ],
    ['refuses at length', bad(() => refusedBy('undecodable', 'x'.repeat(2000))), /short/],
    [
      'makes much of little',
      bad(() => ({ ...accepted, value: Array.from({ length: 50_000 }, () => 0) })),
      /proportion/,
    ],
    [
      'takes memory without bound',
      bad(() => ({ ...accepted, value: { held: new WeakRef(new Uint8Array(64 << 20).fill(1)) } })),
      /costs memory/,
    ],
  ];

  test.each(cases)('%s', (_name, decoding, message) => {
    expect(() => fuzzDecoder(decoding, { seed: 1, runs: 300 })).toThrow(message);
  });

  test('and told with the command that shows it again', () => {
    expect(() => fuzzDecoder(cases[1]![1], { seed: 7, runs: 300 })).toThrow(
      "npm run fuzz -- --only 'bad' --seed 7 --runs 300",
    );
  });
});
