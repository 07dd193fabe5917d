import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { codec } from '../../src/base/codec.ts';
import { sha256, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { MAX_PROOF_DEPTH, treeProofShape, verifyTreeProof, type TreeProof } from '../../src/ledger/state-proof.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { codeOf } from './nodes.ts';

const NO_SIBLINGS = new Uint8Array(0);
const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
const valueOf = (key: string) => utf8(`value of ${key}`);

const tree = new StateTree();
const version = tree.update(
  tree.empty,
  keys.map((key) => ({ key, value: valueOf(key) })),
);
const proofCodec = codec(treeProofShape, 16 * 1024);

const check = (key: string, value: Uint8Array | undefined, proof: TreeProof, root: Hash = version.root) =>
  codeOf(verifyTreeProof(root, key, value, proof));

describe('a proof', () => {
  test('of presence holds for the value of the key and for no other', () => {
    for (const key of keys) {
      const proof = tree.prove(version, key);
      expect(check(key, valueOf(key), proof)).toBe('applied');
      expect(check(key, utf8('another'), proof)).toBe('proof-mismatch');
      expect(check(key, undefined, proof)).toBe('proof-mismatch');
    }
  });

  test('of absence holds for keys that have no value, in both of its forms', () => {
    const forms = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const key = `absent-${i}`;
      const proof = tree.prove(version, key);
      forms.add(proof.other === null ? 'empty subtree' : 'other leaf');
      expect(check(key, undefined, proof)).toBe('applied');
      expect(check(key, utf8('value'), proof)).not.toBe('applied');
    }
    expect(forms).toEqual(new Set(['empty subtree', 'other leaf']));
  });

  test('for one key says nothing about another', () => {
    const [a, b] = ['key-1', 'key-2'] as const;
    expect(check(a, valueOf(a), tree.prove(version, b))).toBe('proof-mismatch');
    expect(check(a, undefined, tree.prove(version, b))).toBe('proof-mismatch');
    expect(check(a, undefined, tree.prove(version, 'absent-1'))).not.toBe('applied');
  });

  test('in the empty tree is empty', () => {
    const proof = tree.prove(tree.empty, 'key');
    expect(proof).toEqual({ siblings: NO_SIBLINGS, other: null });
    expect(check('key', undefined, proof, ZERO_HASH)).toBe('applied');
    expect(check('key', utf8('value'), proof, ZERO_HASH)).toBe('proof-mismatch');
  });

  test('of absence cannot end in the leaf of the key itself, nor in one off the path', () => {
    const key = 'key-1';
    const { siblings } = tree.prove(version, key);
    const own = { keyHash: sha256(utf8(key)), valueHash: sha256(valueOf(key)) };
    expect(check(key, undefined, { siblings, other: own })).toBe('proof-malformed');
    expect(check(key, valueOf(key), { siblings, other: own })).toBe('proof-malformed');
    const off = tree.prove(version, 'key-2');
    const stranger = { keyHash: sha256(utf8('key-2')), valueHash: sha256(valueOf('key-2')) };
    expect(check(key, undefined, { siblings: off.siblings, other: stranger })).toBe('proof-malformed');
  });

  test('is bounded by the bits of a key, and made of whole hashes', () => {
    const tooDeep = new Uint8Array(32 * (MAX_PROOF_DEPTH + 1));
    expect(check('key', undefined, { siblings: tooDeep, other: null })).toBe('proof-malformed');
    expect(check('key', undefined, { siblings: new Uint8Array(33), other: null })).toBe('proof-malformed');
    const other = { keyHash: sha256(utf8('x')), valueHash: sha256(utf8('y')) };
    expect(check('key', undefined, { siblings: tooDeep, other })).toBe('proof-malformed');
    expect(proofCodec.decode(proofCodec.encode({ siblings: tooDeep, other: null })).ok).toBe(false);
  });

  test('does not pass an inner node for a leaf: a leaf and an inner node are hashed under different tags', () => {
    const both = tree.update(tree.empty, [
      { key: 'a', value: utf8('1') },
      { key: 'b', value: utf8('2') },
    ]);
    // The root of two leaves is the hash of 64 bytes; were tags missing, they could be a key hash and a value hash.
    const [aHash, bHash] = [tree.prove(both, 'b'), tree.prove(both, 'a')].map(({ siblings }) => siblings.slice(-32));
    const forged = { keyHash: aHash as Uint8Array, valueHash: bHash as Uint8Array };
    expect(check('c', undefined, { siblings: NO_SIBLINGS, other: forged }, both.root)).not.toBe('applied');
  });

  test('altered in any bit proves nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...keys.slice(0, 40), 'absent-1', 'absent-2', 'absent-3'), fc.nat(), (key, at) => {
        const value = keys.includes(key) ? valueOf(key) : undefined;
        const bytes = proofCodec.encode(tree.prove(version, key));
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << (at % 7));
        const decoded = proofCodec.decode(bytes);
        expect(decoded.ok ? check(key, value, decoded.value) : 'undecodable').not.toBe('applied');
      }),
      { seed: 4, numRuns: 400 },
    );
  });

  test('survives its encoding', () => {
    const proof = tree.prove(version, 'absent-3');
    expect(unwrap(proofCodec.decode(proofCodec.encode(proof)))).toEqual(proof);
  });

  test('of twenty thousand keys takes about as many siblings as their number has bits', () => {
    const large = new StateTree();
    const changes = Array.from({ length: 20_000 }, (_, i) => ({ key: `node/${i}`, value: utf8(String(i)) }));
    const full = large.update(large.empty, changes);
    const { siblings } = large.prove(full, 'node/7');
    expect(siblings.length / 32).toBeLessThan(30);
  });
});
