/**
 * The authenticated state: a compact binary sparse Merkle tree (its hashing is described in `state-proof.ts`), in
 * memory, with versions that share what they have in common.
 *
 * An update copies the path to each changed leaf and leaves the version it started from as it was, so that every block
 * of a block tree has its own version. Two facts keep the memory exact, with no counting of references:
 *
 * - a version that loses (`discard`) is the only owner, with its descendants, of the nodes that it made;
 * - a version that grows old (`retire`), once it is the oldest and has one child left, is the only owner of the nodes
 *   that this child replaced.
 *
 *            retire ->  v1 -- v2 -- v3      v3 made nodes that nothing else can reach:
 *                              \            discard(v3) frees them
 *                               \-- v4      then retire(v1) frees what v2 replaced
 */
import { assert } from '../base/assert.ts';
import { hashFromBytes, sha256Into, type Hash } from '../base/hash.ts';
import { keyHashOf, type TreeProof } from './state-proof.ts';
import type { StateChange } from './state.ts';
import { EMPTY, TreeNodes, type NodeIndex } from './tree-nodes.ts';

/** The tree after a block. Read its root; all else belongs to the tree. */
export interface TreeVersion {
  readonly root: Hash;
}

interface Version extends TreeVersion {
  readonly node: NodeIndex;
  readonly parent: Version | null;
  /** Nodes that the update made. */
  readonly made: Int32Array;
  /** Nodes of the parent that the update left out. */
  readonly replaced: Int32Array;
  state: 'live' | 'retired' | 'discarded';
  liveChildren: Version[];
}

const HASH_BYTES = 32;
const ENTRY_BYTES = 2 * HASH_BYTES;

export class StateTree {
  readonly #nodes = new TreeNodes();
  readonly #batch = new SortedChanges();
  readonly #made = new IndexList();
  readonly #replaced = new IndexList();
  /** Key hash and value hash of what is asked. */
  readonly #entry = new Uint8Array(ENTRY_BYTES);

  /** The version without any key: where every tree starts. */
  readonly empty: TreeVersion = this.#version(null, EMPTY);

  /** Nodes in memory: 40 bytes each, and 64 more for a leaf. */
  get nodeCount(): number {
    return this.#nodes.live;
  }

  /**
   * Makes a child version.
   *
   * @param changes each key at most once; an undefined value removes it
   */
  update(from: TreeVersion, changes: readonly StateChange[]): TreeVersion {
    const parent = live(from);
    this.#batch.load(changes);
    this.#made.clear();
    this.#replaced.clear();
    const root = this.#apply(parent.node, 0, changes.length, 0);
    const version = this.#version(parent, root);
    parent.liveChildren.push(version);
    return version;
  }

  prove(version: TreeVersion, key: string): TreeProof {
    const keyHash = keyHashOf(key);
    const siblings: Uint8Array[] = [];
    let node = live(version).node;
    for (let level = 0; node !== EMPTY && !this.#nodes.isLeaf(node); level++) {
      const goesRight = ((keyHash[level >> 3] as number) >> (7 - (level & 7))) & 1;
      const [next, sibling] = goesRight
        ? [this.#nodes.right(node), this.#nodes.left(node)]
        : [this.#nodes.left(node), this.#nodes.right(node)];
      siblings.push(this.#nodes.hashOf(sibling));
      node = next;
    }
    const endsElsewhere = node !== EMPTY && !this.#nodes.hasKeyHash(node, keyHash, 0);
    return {
      siblings: joined(siblings),
      other: endsElsewhere ? { keyHash: this.#nodes.keyHashOf(node), valueHash: this.#nodes.valueHashOf(node) } : null,
    };
  }

  /** Whether this is what the version holds under the key: a value, or undefined for none. */
  holds(version: TreeVersion, key: string, value: Uint8Array | undefined): boolean {
    sha256Into(key, this.#entry, 0);
    if (value !== undefined) sha256Into(value, this.#entry, HASH_BYTES);
    let node = live(version).node;
    for (let level = 0; node !== EMPTY && !this.#nodes.isLeaf(node); level++) {
      const goesRight = ((this.#entry[level >> 3] as number) >> (7 - (level & 7))) & 1;
      node = goesRight ? this.#nodes.right(node) : this.#nodes.left(node);
    }
    if (value !== undefined) return node !== EMPTY && this.#nodes.isSameLeaf(node, this.#entry, 0);
    return node === EMPTY || !this.#nodes.hasKeyHash(node, this.#entry, 0);
  }

  /** Gives up a version that lost, which has no live child, and frees what it made. */
  discard(version: TreeVersion): void {
    const loser = live(version);
    assert(loser.parent !== null && loser.liveChildren.length === 0, 'a discarded version is a leaf of the versions', {
      children: loser.liveChildren.length,
    });
    const siblings = loser.parent.liveChildren;
    siblings.splice(siblings.indexOf(loser), 1);
    loser.state = 'discarded';
    for (const node of loser.made) this.#nodes.free(node);
  }

  /** Gives up the oldest version, which has one live child, and frees what that child replaced. */
  retire(version: TreeVersion): void {
    const old = live(version);
    const [heir] = old.liveChildren;
    assert(old.liveChildren.length === 1 && heir !== undefined, 'a retired version has one heir', {
      children: old.liveChildren.length,
    });
    assert(old.parent === null, 'the retired version is the oldest', { root: old.root });
    old.state = 'retired';
    for (const node of heir.replaced) this.#nodes.free(node);
    forget(heir);
  }

  #version(parent: Version | null, node: NodeIndex): Version {
    return {
      root: hashFromBytes(this.#nodes.hashOf(node)),
      node,
      parent,
      made: this.#made.toArray(),
      replaced: this.#replaced.toArray(),
      state: 'live',
      liveChildren: [],
    };
  }

  /** The subtree `node` at `level` after the changes [from, to) of the batch, which all lie in it. */
  #apply(node: NodeIndex, from: number, to: number, level: number): NodeIndex {
    if (from === to) return node;
    if (node === EMPTY || this.#nodes.isLeaf(node)) return this.#applyToLeaf(node, from, to, level);
    const left = this.#nodes.left(node);
    const right = this.#nodes.right(node);
    const middle = this.#batch.split(from, to, level);
    const newLeft = this.#apply(left, from, middle, level + 1);
    const newRight = this.#apply(right, middle, to, level + 1);
    if (newLeft === left && newRight === right) return node;
    this.#replaced.push(node);
    return this.#join(newLeft, newRight);
  }

  /** @param node a leaf or the empty subtree */
  #applyToLeaf(node: NodeIndex, from: number, to: number, level: number): NodeIndex {
    if (to - from === 1) {
      const offset = this.#batch.offsetOf(from);
      const removes = this.#batch.removes(from);
      if (node !== EMPTY && this.#nodes.hasKeyHash(node, this.#batch.hashes, offset)) {
        if (!removes && this.#nodes.isSameLeaf(node, this.#batch.hashes, offset)) return node;
        this.#replaced.push(node);
        return removes ? EMPTY : this.#makeLeaf(offset);
      }
      if (removes) return node;
      if (node === EMPTY) return this.#makeLeaf(offset);
    }
    const middle = this.#batch.split(from, to, level);
    const goesRight = node !== EMPTY && this.#nodes.keyBit(node, level) === 1;
    const left = this.#apply(goesRight ? EMPTY : node, from, middle, level + 1);
    const right = this.#apply(goesRight ? node : EMPTY, middle, to, level + 1);
    return this.#join(left, right);
  }

  #makeLeaf(offset: number): NodeIndex {
    const leaf = this.#nodes.makeLeaf(this.#batch.hashes, offset);
    this.#made.push(leaf);
    return leaf;
  }

  /** A subtree with one leaf is that leaf: the shape depends on the keys alone, never on their history. */
  #join(left: NodeIndex, right: NodeIndex): NodeIndex {
    if (left === EMPTY && (right === EMPTY || this.#nodes.isLeaf(right))) return right;
    if (right === EMPTY && this.#nodes.isLeaf(left)) return left;
    const inner = this.#nodes.makeInner(left, right);
    this.#made.push(inner);
    return inner;
  }
}

function live(version: TreeVersion): Version {
  const own = version as Version;
  assert(own.state === 'live', 'the version is live', { state: own.state, root: own.root });
  return own;
}

/** The oldest live version keeps no way back, or every version since genesis would stay in memory. */
function forget(oldest: Version): void {
  const mutable = oldest as { -readonly [K in keyof Version]: Version[K] };
  mutable.parent = null;
  mutable.made = NOTHING;
  mutable.replaced = NOTHING;
}

const NOTHING = new Int32Array(0);

function joined(hashes: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [index, hash] of hashes.entries()) all.set(hash, index * HASH_BYTES);
  return all;
}

/** A batch of changes sorted by key hash, in buffers that are used again from batch to batch. */
class SortedChanges {
  /** Key hash and value hash of each change, in the order in which they came. */
  hashes = new Uint8Array(0);
  #removes = new Uint8Array(0);
  /** The first 48 bits of each key hash: decides nearly every comparison. */
  #prefixes = new Float64Array(0);
  #order = new Uint32Array(0);

  load(changes: readonly StateChange[]): void {
    const count = changes.length;
    if (this.#removes.length < count) this.#grow(Math.max(count, 2 * this.#removes.length));
    for (let i = 0; i < count; i++) {
      const { key, value } = changes[i] as StateChange;
      const offset = i * ENTRY_BYTES;
      sha256Into(key, this.hashes, offset);
      if (value !== undefined) sha256Into(value, this.hashes, offset + HASH_BYTES);
      this.#removes[i] = value === undefined ? 1 : 0;
      this.#prefixes[i] = this.#prefix(offset);
      this.#order[i] = i;
    }
    this.#order.subarray(0, count).sort((a, b) => this.#compare(a, b));
    for (let i = 1; i < count; i++) {
      assert(
        this.#compare(this.#order[i - 1] as number, this.#order[i] as number) !== 0,
        'a batch names each key once',
      );
    }
  }

  /** Where the hashes of the change at this place of the sorted order are. */
  offsetOf(place: number): number {
    return (this.#order[place] as number) * ENTRY_BYTES;
  }

  removes(place: number): boolean {
    return this.#removes[this.#order[place] as number] === 1;
  }

  /** The first place in [from, to) whose key hash has a one at `level`; all of them agree on the bits above. */
  split(from: number, to: number, level: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      const byte = this.hashes[this.offsetOf(middle) + (level >> 3)] as number;
      if ((byte >> (7 - (level & 7))) & 1) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #prefix(offset: number): number {
    let prefix = 0;
    for (let i = 0; i < 6; i++) prefix = prefix * 256 + (this.hashes[offset + i] as number);
    return prefix;
  }

  #compare(a: number, b: number): number {
    const difference = (this.#prefixes[a] as number) - (this.#prefixes[b] as number);
    if (difference !== 0) return difference;
    for (let i = 6; i < HASH_BYTES; i++) {
      const byteDifference =
        (this.hashes[a * ENTRY_BYTES + i] as number) - (this.hashes[b * ENTRY_BYTES + i] as number);
      if (byteDifference !== 0) return byteDifference;
    }
    return 0;
  }

  #grow(capacity: number): void {
    this.hashes = new Uint8Array(capacity * ENTRY_BYTES);
    this.#removes = new Uint8Array(capacity);
    this.#prefixes = new Float64Array(capacity);
    this.#order = new Uint32Array(capacity);
  }
}

/** A growing list of node indexes, used again from batch to batch. */
class IndexList {
  #items = new Int32Array(1024);
  #length = 0;

  push(node: NodeIndex): void {
    if (this.#length === this.#items.length) {
      const larger = new Int32Array(this.#items.length * 2);
      larger.set(this.#items);
      this.#items = larger;
    }
    this.#items[this.#length++] = node;
  }

  clear(): void {
    this.#length = 0;
  }

  toArray(): Int32Array {
    return this.#items.slice(0, this.#length);
  }
}
