import { readFileSync } from 'node:fs';
import { SecretKey } from '@chainsafe/blst';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { Random } from '../../src/base/random.ts';
import { checkSecretKey, secretKeyFromSeed } from '../../src/qc/keys.ts';
import { codeOf } from './refusal.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/bls/eip-2333.json', import.meta.url), 'utf8')) as readonly {
  readonly seed: string;
  readonly master_SK: string;
}[];

describe('secret keys', () => {
  it.each(vectors)('come from a seed as the published vectors say: $seed', ({ seed, master_SK }) => {
    const bytes = fromHex(seed.slice(2).toLowerCase()) as Uint8Array;
    expect(BigInt(`0x${toHex(secretKeyFromSeed(bytes))}`).toString()).toBe(master_SK);
  });

  it("are those of the native library's KeyGen, for seeds of any length from 32 bytes", () => {
    const random = new Random(1);
    for (let length = 32; length < 80; length += 7) {
      const seed = random.bytes(length);
      expect(secretKeyFromSeed(seed)).toEqual(new Uint8Array(SecretKey.fromKeygen(seed).toBytes()));
    }
  });

  it('are not made from a short seed', () => {
    expect(() => secretKeyFromSeed(new Uint8Array(31))).toThrow('a seed has at least 32 bytes');
  });

  it('are 32 bytes above zero and below the group order', () => {
    const order = '73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001';
    const [atOrder, below] = [order, order.replace(/1$/, '0')].map((hex) => fromHex(hex) as Uint8Array);
    expect(codeOf(checkSecretKey(below as Uint8Array))).toBe('accepted');
    expect(codeOf(checkSecretKey(atOrder as Uint8Array))).toBe('secret-key-malformed');
    expect(codeOf(checkSecretKey(new Uint8Array(32)))).toBe('secret-key-malformed');
    expect(codeOf(checkSecretKey(new Uint8Array(33).fill(1)))).toBe('secret-key-malformed');
  });
});
