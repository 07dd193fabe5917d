import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { hashFromBytes, sha256, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { Random } from '../../src/base/random.ts';
import { verifyTreeProof } from '../../src/ledger/state-proof.ts';
import { StateTree, type TreeVersion } from '../../src/ledger/state-tree.ts';
import type { StateChange } from '../../src/ledger/state.ts';

const put = (key: string, value: string): StateChange => ({ key, value: utf8(value) });
const remove = (key: string): StateChange => ({ key, value: undefined });

/** The definition, word for word: no sharing, no batches, no history. */
function naiveRoot(entries: ReadonlyMap<string, Uint8Array>): Hash {
  const leaves = Array.from(entries, ([key, value]) => ({ path: bits(sha256(utf8(key))), leaf: leafOf(key, value) }));
  return hashFromBytes(subtree(leaves, 0));
}

type NaiveLeaf = { readonly path: string; readonly leaf: Uint8Array };

function subtree(leaves: readonly NaiveLeaf[], level: number): Uint8Array {
  if (leaves.length === 0) return new Uint8Array(32);
  if (leaves.length === 1) return (leaves[0] as NaiveLeaf).leaf;
  const side = (bit: string) =>
    subtree(
      leaves.filter(({ path }) => path[level] === bit),
      level + 1,
    );
  return sha256(concatBytes(Uint8Array.of(1), side('0'), side('1')));
}

function leafOf(key: string, value: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(0), sha256(utf8(key)), sha256(value)));
}

function bits(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

function mapAfter(map: ReadonlyMap<string, Uint8Array>, changes: readonly StateChange[]): Map<string, Uint8Array> {
  const after = new Map(map);
  for (const { key, value } of changes) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

const smallKey = fc.integer({ min: 0, max: 40 }).map((n) => `key-${n}`);
const change = fc.record({
  key: smallKey,
  value: fc.option(
    fc.integer({ min: 0, max: 3 }).map((n) => utf8(`value-${n}`)),
    { nil: undefined, freq: 3 },
  ),
});
const batch = fc.uniqueArray(change, { selector: ({ key }) => key, maxLength: 25 });

describe('the root', () => {
  test('of no keys is 32 zero bytes, and of one key its leaf', () => {
    const tree = new StateTree();
    expect(tree.empty.root).toBe(ZERO_HASH);
    const one = tree.update(tree.empty, [put('a', '1')]);
    expect(one.root).toBe(hashFromBytes(leafOf('a', utf8('1'))));
  });

  test('is that of the definition after any batches, whatever was there before', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
        const tree = new StateTree();
        let version = tree.empty;
        let map: ReadonlyMap<string, Uint8Array> = new Map();
        for (const changes of batches) {
          version = tree.update(version, changes);
          map = mapAfter(map, changes);
          expect(version.root).toBe(naiveRoot(map));
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('does not depend on the order of the keys or on how they are batched', () => {
    const random = new Random(2);
    const entries = Array.from({ length: 500 }, (_, i) => put(`key-${i}`, `value-${i}`));
    const whole = new StateTree();
    const expected = whole.update(whole.empty, entries).root;
    for (let run = 0; run < 5; run++) {
      const tree = new StateTree();
      let version = tree.empty;
      const order = random.shuffled(entries);
      while (order.length > 0) version = tree.update(version, order.splice(0, 1 + random.below(90)));
      expect(version.root).toBe(expected);
    }
  });

  test('returns to what it was when the changes are undone, and to zero when all keys are gone', () => {
    const tree = new StateTree();
    const before = tree.update(tree.empty, [put('a', '1'), put('b', '2'), put('c', '3')]);
    const changed = tree.update(before, [put('a', '9'), remove('b'), put('d', '4')]);
    const undone = tree.update(changed, [put('a', '1'), put('b', '2'), remove('d')]);
    expect(changed.root).not.toBe(before.root);
    expect(undone.root).toBe(before.root);
    expect(tree.update(undone, [remove('a'), remove('b'), remove('c')]).root).toBe(ZERO_HASH);
  });

  test('removing what is absent and writing what is there change nothing and make no node', () => {
    const tree = new StateTree();
    const before = tree.update(tree.empty, [put('a', '1'), put('b', '2')]);
    const nodes = tree.nodeCount;
    const same = tree.update(before, [put('a', '1'), remove('never-there')]);
    expect(same.root).toBe(before.root);
    expect(tree.nodeCount).toBe(nodes);
  });

  test('a batch that names a key twice is a bug of the caller', () => {
    const tree = new StateTree();
    expect(() => tree.update(tree.empty, [put('a', '1'), put('a', '2')])).toThrow('a batch names each key once');
  });
});

describe('versions', () => {
  test('a fork leaves its parent and its siblings as they were', () => {
    const tree = new StateTree();
    const parent = tree.update(tree.empty, [put('a', '1'), put('b', '2')]);
    const proofBefore = tree.prove(parent, 'a');
    const left = tree.update(parent, [put('a', 'left')]);
    const right = tree.update(parent, [put('a', 'right'), remove('b')]);
    expect(tree.prove(parent, 'a')).toEqual(proofBefore);
    expect(verifyTreeProof(parent.root, 'a', utf8('1'), tree.prove(parent, 'a')).ok).toBe(true);
    expect(verifyTreeProof(left.root, 'a', utf8('left'), tree.prove(left, 'a')).ok).toBe(true);
    expect(verifyTreeProof(right.root, 'b', undefined, tree.prove(right, 'b')).ok).toBe(true);
  });

  test('discarded forks and retired versions give every node back', () => {
    const random = new Random(3);
    const tree = new StateTree();
    let map: ReadonlyMap<string, Uint8Array> = new Map();
    const held: TreeVersion[] = [tree.empty];
    for (let height = 0; height < 300; height++) {
      const head = held.at(-1) as TreeVersion;
      const changes = randomChanges(random);
      const loser = tree.update(head, randomChanges(random));
      const loserChild = tree.update(loser, randomChanges(random));
      const winner = tree.update(head, changes);
      tree.discard(loserChild);
      tree.discard(loser);
      map = mapAfter(map, changes);
      held.push(winner);
      if (held.length > 8) tree.retire(held.shift() as TreeVersion);
      expect(winner.root).toBe(naiveRoot(map));
    }
    while (held.length > 1) tree.retire(held.shift() as TreeVersion);
    expect(tree.nodeCount).toBe(nodesOfFreshTree(map));
  });

  test('a version that still has children, or is not the oldest, cannot be given up', () => {
    const tree = new StateTree();
    const first = tree.update(tree.empty, [put('a', '1')]);
    const second = tree.update(first, [put('a', '2')]);
    expect(() => tree.discard(first)).toThrow('a discarded version is a leaf of the versions');
    expect(() => tree.retire(first)).toThrow('the retired version is the oldest');
    expect(() => tree.retire(second)).toThrow('a retired version has one heir');
    tree.update(first, [put('a', '3')]);
    tree.retire(tree.empty);
    expect(() => tree.retire(first)).toThrow('a retired version has one heir');
  });

  test('a version that was given up is not used again', () => {
    const tree = new StateTree();
    const loser = tree.update(tree.empty, [put('a', '1')]);
    tree.discard(loser);
    expect(() => tree.prove(loser, 'a')).toThrow('the version is live');
    expect(() => tree.update(loser, [])).toThrow('the version is live');
  });
});

function randomChanges(random: Random): StateChange[] {
  const keys = new Set(Array.from({ length: random.below(30) }, () => `key-${random.below(120)}`));
  return Array.from(keys, (key) => (random.chance(0.3) ? remove(key) : put(key, `value-${random.below(50)}`)));
}

function nodesOfFreshTree(map: ReadonlyMap<string, Uint8Array>): number {
  const tree = new StateTree();
  tree.update(
    tree.empty,
    Array.from(map, ([key, value]) => ({ key, value })),
  );
  return tree.nodeCount;
}
