/**
 * The state after the last committed block, and after some blocks before it: by default each of the last 63.
 *
 * Values live in the backing store, which may be behind: a commit acts here at once, in memory, and the shell says when
 * it is durable. Older values are kept as what each block replaced, older trees as versions of the one state tree. The
 * tree, whose root a quorum signed, knows the hash of every value: one that the backing changed is refused.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { RecentValues } from '../base/recent-values.ts';
import { codedError, ok, refuse, type Result } from '../base/result.ts';
import type { TreeProof } from './state-proof.ts';
import type { StateTree, TreeVersion } from './state-tree.ts';
import type { CommittedChange, StateChange, StateReader } from './state.ts';

const HELD_HEIGHTS = 64;
/** So many are held at most for one who asked to keep what is held. */
const MAX_KEPT_HEIGHTS = 4096;
/** Values of committed state kept beside the backing, whose synchronous get takes 13 us: about 8 MB. */
const RECENT_VALUES = 16_384;

export interface ProvenValue {
  readonly value: Uint8Array | undefined;
  readonly proof: TreeProof;
  readonly stateRoot: Hash;
}

interface HeldHeight {
  readonly height: number;
  readonly version: TreeVersion;
  /** What the block at this height replaced; of the oldest held height it is never asked. */
  readonly before: ReadonlyMap<string, Uint8Array | undefined>;
}

interface PendingValue {
  readonly value: Uint8Array | undefined;
  readonly height: number;
}

export interface CommittedStateOptions {
  readonly backing: StateReader;
  readonly tree: StateTree;
  /** The version of `tree` that is the state at `height`. */
  readonly version: TreeVersion;
  readonly height: number;
  /** What of that state the backing does not hold yet. */
  readonly unsettled?: readonly StateChange[] | undefined;
  /** That are kept beside the backing, with about 500 bytes each. */
  readonly recentValues?: number | undefined;
  /** How many heights values and proofs are served for, the head's included. */
  readonly heldHeights?: number | undefined;
}

export class CommittedState implements StateReader {
  readonly #backing: StateReader;
  readonly #tree: StateTree;
  /** Oldest first; consecutive; the last is the head. */
  readonly #held: HeldHeight[];
  readonly #heldHeights: number;
  /** Committed and perhaps not durable yet: asked before the backing. */
  readonly #pending = new Map<string, PendingValue>();
  /** What is held from this height on stays; null: nobody asked. */
  #keptFrom: number | null = null;
  #settledHeight: number;
  /** As the backing holds it, or held it before what is pending; null: nothing. */
  readonly #recent: RecentValues;

  constructor({ backing, height, tree, unsettled = [], version, ...bounds }: CommittedStateOptions) {
    this.#backing = backing;
    this.#tree = tree;
    this.#recent = new RecentValues(bounds.recentValues ?? RECENT_VALUES);
    this.#heldHeights = bounds.heldHeights ?? HELD_HEIGHTS;
    this.#held = [{ height, version, before: new Map() }];
    this.#settledHeight = unsettled.length === 0 ? height : height - 1;
    for (const { key, value } of unsettled) this.#pending.set(key, { value, height });
  }

  get headHeight(): number {
    return this.#head.height;
  }

  get oldestHeight(): number {
    return (this.#held[0] as HeldHeight).height;
  }

  get version(): TreeVersion {
    return this.#head.version;
  }

  get(key: string): Uint8Array | undefined {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.value;
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent ?? undefined;
    // The tree knows in a microsecond that there is none; the backing takes ten to find nothing.
    const value = this.#tree.holds(this.version, key, undefined)
      ? undefined
      : this.#checked(key, this.#backing.get(key));
    this.#recent.set(key, value ?? null);
    return value;
  }

  /** What was committed and is perhaps not in the backing: the newest value of each key. */
  unsettled(): ReadonlyMap<string, Uint8Array | undefined> {
    return new Map(Array.from(this.#pending, ([key, { value }]) => [key, value]));
  }

  /** The state as the backing holds it, which a crash cannot take back. */
  readonly durable: StateReader = {
    // Of what is pending the backing may hold either value, or one of a height between.
    get: (key) => (this.#pending.has(key) ? this.#backing.get(key) : this.get(key)),
  };

  /** @throws CodedError `store-corrupt` */
  #checked(key: string, value: Uint8Array | undefined): Uint8Array | undefined {
    if (this.#tree.holds(this.version, key, value)) return value;
    throw codedError('store-corrupt', 'a value of the state is not the one that was written', {
      key,
      height: this.headHeight,
      bytes: value?.length ?? null,
    });
  }

  /** The next height, all at once. @returns the changes with what they replaced */
  advance(changes: readonly StateChange[], version: TreeVersion): readonly CommittedChange[] {
    const height = this.headHeight + 1;
    const committed: CommittedChange[] = [];
    const before = new Map<string, Uint8Array | undefined>();
    for (const { key, value } of changes) {
      const replaced = this.get(key);
      committed.push({ key, value, before: replaced });
      before.set(key, replaced);
      this.#pending.set(key, { value, height });
    }
    this.#held.push({ height, version, before });
    while (this.#mayForget()) this.#tree.retire((this.#held.shift() as HeldHeight).version);
    return committed;
  }

  /**
   * What is held from this height on stays, for one who comes back for it soon, however many blocks are committed
   * meanwhile, up to 4,096; null: no longer.
   */
  keepFrom(height: number | null): void {
    this.#keptFrom = height;
  }

  #mayForget(): boolean {
    const { length } = this.#held;
    const isKept = this.#keptFrom !== null && this.oldestHeight >= this.#keptFrom && length <= MAX_KEPT_HEIGHTS;
    return length > this.#heldHeights && !isKept;
  }

  /** All up to this height is durable in the backing. */
  settled(height: number): void {
    assert(height <= this.headHeight, 'what is settled was committed', { height, head: this.headHeight });
    if (height <= this.#settledHeight) return;
    this.#settledHeight = height;
    for (const [key, pending] of this.#pending) {
      if (pending.height > height) continue;
      this.#pending.delete(key);
      this.#recent.set(key, pending.value ?? null);
    }
  }

  getAt(height: number, key: string): Result<Uint8Array | undefined> {
    const place = this.#placeOf(height);
    if (!place.ok) return place;
    for (let i = place.value + 1; i < this.#held.length; i++) {
      const { before } = this.#held[i] as HeldHeight;
      if (before.has(key)) return ok(before.get(key));
    }
    return ok(this.get(key));
  }

  proveAt(height: number, key: string): Result<ProvenValue> {
    const place = this.#placeOf(height);
    if (!place.ok) return place;
    const value = this.getAt(height, key);
    if (!value.ok) return value;
    const { version } = this.#held[place.value] as HeldHeight;
    return ok({ value: value.value, proof: this.#tree.prove(version, key), stateRoot: version.root });
  }

  /**
   * What the state held at a height, of every key that later blocks changed. Refusal: `height-not-held`.
   *
   * Of a view of the backing that was taken later this makes the state at the height, whatever else is in the view.
   */
  changedSince(height: number): Result<ReadonlyMap<string, Uint8Array | undefined>> {
    const place = this.#placeOf(height);
    if (!place.ok) return place;
    const changed = new Map<string, Uint8Array | undefined>();
    for (const { before } of this.#held.slice(place.value + 1)) {
      for (const [key, value] of before) if (!changed.has(key)) changed.set(key, value);
    }
    return ok(changed);
  }

  get #head(): HeldHeight {
    return this.#held.at(-1) as HeldHeight;
  }

  #placeOf(height: number): Result<number> {
    const place = height - this.oldestHeight;
    return this.#held[place] !== undefined
      ? ok(place)
      : refuse('height-not-held', 'the state at that height is not kept', {
          height,
          oldest: this.oldestHeight,
          head: this.headHeight,
        });
  }
}
