import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { fastScheme } from './fast-scheme.ts';

const secrets = [1, 2, 3, 4].map((nth) => sha256(Uint8Array.of(nth)));
const keys = secrets.map((secret) => fastScheme.publicKeyOf(secret));
const message = utf8('what is signed by all, and is not a multiple of four');
const signatures = secrets.map((secret) => fastScheme.sign(secret, message));
const signature = signatures[0]!;

describe('the fast scheme fails as a real one does', () => {
  test('of one signer: at every other byte of message, key and signature', () => {
    expect(fastScheme.verify(keys[0]!, message, signature)).toBe(true);
    const changed = (bytes: Uint8Array, place: number) => bytes.map((byte, i) => (i === place ? byte ^ 0x80 : byte));
    for (let i = 0; i < message.length; i++) {
      expect(fastScheme.verify(keys[0]!, changed(message, i), signature)).toBe(false);
      expect(fastScheme.verify(keys[0]!, message.subarray(0, i), signature)).toBe(false);
    }
    for (let i = 0; i < 32; i++) expect(fastScheme.verify(changed(keys[0]!, i), message, signature)).toBe(false);
    for (let i = 0; i < 96; i++) expect(fastScheme.verify(keys[0]!, message, changed(signature, i))).toBe(false);
    expect(fastScheme.verify(keys[0]!, Uint8Array.of(...message, 0), signature)).toBe(false);
    expect(fastScheme.verify(keys[1]!, message, signature)).toBe(false);
  });

  test('of an aggregate: with a signer missing, one too many, one twice, or of another message', () => {
    const aggregate = unwrap(fastScheme.aggregate(signatures.slice(0, 3)));
    const verify = (places: readonly number[], of = message, by = aggregate) =>
      fastScheme.verifyAggregate(
        places.map((place) => keys[place]!),
        of,
        by,
      );
    expect(verify([2, 0, 1])).toBe(true);
    for (const others of [[], [0, 1], [0, 1, 2, 3], [0, 1, 3], [0, 1, 1]]) expect(verify(others)).toBe(false);
    expect(verify([0, 1, 2], utf8('another'))).toBe(false);
    expect(verify([0, 1, 2], message, unwrap(fastScheme.aggregate(signatures.slice(1))))).toBe(false);
  });

  test('no two of a thousand messages and four keys have one signature', () => {
    const made = secrets.flatMap((secret) =>
      Array.from({ length: 1_000 }, (_, nth) => fastScheme.sign(secret, utf8(`round ${nth}`)).join()),
    );
    expect(new Set(made).size).toBe(made.length);
  });

  test('of several messages: each once, and by whom it was signed', () => {
    const other = utf8('other');
    const both = unwrap(fastScheme.aggregate([signature, fastScheme.sign(secrets[1]!, other)]));
    const groups = [
      { publicKeys: [keys[0]!], message },
      { publicKeys: [keys[1]!], message: other },
    ];
    expect(fastScheme.verifyAggregateOfDistinct(groups, both)).toBe(true);
    expect(fastScheme.verifyAggregateOfDistinct(groups.slice(1), both)).toBe(false);
    expect(fastScheme.verifyAggregateOfDistinct([...groups, groups[0]!], both)).toBe(false);
    expect(fastScheme.verifyAggregateOfDistinct([], both)).toBe(false);
    const swapped = groups.map(({ message: of }, place) => ({ publicKeys: [keys[1 - place]!], message: of }));
    expect(fastScheme.verifyAggregateOfDistinct(swapped, both)).toBe(false);
  });
});
