/**
 * What the older system's state machine holds: a map of keys to JSON, unsigned and judged by nobody. Before BASE it is
 * all the state there is; from BASE on it lies in the ledger's state under `legacy/`, byte for byte, beside the records.
 *
 * It is kept in memory, as the older system keeps it, with a state tree over it: replicas can compare its root, and the
 * tree is that of the ledger from BASE on.
 */
import { compareBytes, concatBytes, utf8 } from '../base/bytes.ts';
import type { Hash } from '../base/hash.ts';
import { legacyKeyJson, type LegacyCommand } from './legacy-command.ts';
import { StateTree, type TreeVersion } from './state-tree.ts';
import { LEGACY_KEY_PREFIX, legacyKey, type StateChange } from './state.ts';

/** Keys that enter the tree at once while it is built. */
const TREE_BATCH = 32_768;

/** What a command changes in the ledger's state. */
export function legacyChange({ key, value }: LegacyCommand): StateChange {
  return { key: legacyKey(key), value };
}

export function legacyKeyOf(stateKey: string): string | undefined {
  return stateKey.startsWith(LEGACY_KEY_PREFIX) ? stateKey.slice(LEGACY_KEY_PREFIX.length) : undefined;
}

export class LegacyState {
  readonly tree = new StateTree();
  readonly #values = new Map<string, Uint8Array>();
  #version: TreeVersion = this.tree.empty;

  /** @param values each key once */
  constructor(values: Iterable<readonly [key: string, value: Uint8Array]> = []) {
    let batch: LegacyCommand[] = [];
    for (const [key, value] of values) {
      batch.push({ operation: 'set', key, value });
      if (batch.length < TREE_BATCH) continue;
      this.apply(batch);
      batch = [];
    }
    this.apply(batch);
  }

  get size(): number {
    return this.#values.size;
  }

  /** By keys as they were first set. */
  get values(): ReadonlyMap<string, Uint8Array> {
    return this.#values;
  }

  get version(): TreeVersion {
    return this.#version;
  }

  /** Of the ledger's state as it would be if nothing else were in it. */
  get root(): Hash {
    return this.#version.root;
  }

  /** @returns the keys that have another value now, each once, with it */
  apply(commands: readonly LegacyCommand[]): ReadonlyMap<string, Uint8Array> {
    const changed = new Map<string, Uint8Array>();
    for (const { key, value } of commands) changed.set(key, value);
    if (changed.size === 0) return changed;
    const next = this.tree.update(
      this.#version,
      Array.from(changed, ([key, value]) => ({ key: legacyKey(key), value })),
    );
    this.tree.retire(this.#version);
    this.#version = next;
    for (const [key, value] of changed) this.#values.set(key, value);
    return changed;
  }
}

/** The entries as Go's `json.Marshal` orders them: by the UTF-8 of their keys. */
export function inGoOrder(
  values: ReadonlyMap<string, Uint8Array>,
): readonly (readonly [key: string, value: Uint8Array])[] {
  return Array.from(values, ([key, value]) => ({ order: utf8(key), entry: [key, value] as const }))
    .sort((a, b) => compareBytes(a.order, b.order))
    .map(({ entry }) => entry);
}

const COMMA = utf8(',');

/** A member of the older system's snapshot, which is one JSON object; with the comma before it, unless it is the first. */
export function legacyMember(key: string, value: Uint8Array, isFirst: boolean): Uint8Array {
  const member = concatBytes(utf8(`${legacyKeyJson(key)}:`), value);
  return isFirst ? member : concatBytes(COMMA, member);
}
