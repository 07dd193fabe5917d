/** Where a member's ledger stands, on its disk: before BASE, from BASE on, or in the middle of a snapshot. */
import { AssertionError } from '../../base/assert.ts';
import { textFromUtf8 } from '../../base/bytes.ts';
import { codec, hash, nullable, struct, uint, union } from '../../base/codec.ts';
import type { Hash } from '../../base/hash.ts';
import { codedError, type CodedError } from '../../base/result.ts';
import { checkStore, identityOps, type LogIdentity } from '../../ledger/block-log.ts';
import { contentOf, withCheck } from '../../ledger/checked-record.ts';
import { LAYOUT_KEY, LEGACY_RANGE, legacyValueKey, RAFT_LEDGER_KEY } from '../../ledger/layout.ts';
import { LegacyState } from '../../ledger/legacy-state.ts';
import type { LogPosition } from '../../ledger/log-hash.ts';
import type { Store, StoreOperation } from '../../store/store.ts';

export type Standing =
  | {
      readonly kind: 'map';
      /** Of the tree over the older system's values: they are on the disk without any other check. */
      readonly root: Hash;
      /** Of the last entry that was applied; null where a snapshot did not say. */
      readonly lastIndex: number | null;
    }
  | {
      readonly kind: 'chain';
      readonly base: LogPosition;
      /** Of the control records behind the head. */
      readonly controls: Hash;
      readonly lastIndex: number | null;
    }
  /** Neither the state before nor the one of the snapshot is whole. */
  | { readonly kind: 'restoring' };

const standingCodec = codec<Standing>(
  union<Standing>({
    map: struct<Omit<Extract<Standing, { kind: 'map' }>, 'kind'>>({ root: hash, lastIndex: nullable(uint()) }),
    chain: struct<Omit<Extract<Standing, { kind: 'chain' }>, 'kind'>>({
      base: struct<LogPosition>({ index: uint(), term: uint() }),
      controls: hash,
      lastIndex: nullable(uint()),
    }),
    restoring: struct({}),
  }),
  256,
);

export function standingOps(standing: Standing): StoreOperation[] {
  return [{ kind: 'put', key: RAFT_LEDGER_KEY, value: withCheck(standingCodec.encode(standing)) }];
}

export function legacyValueOps(values: Iterable<readonly [key: string, value: Uint8Array]>): StoreOperation[] {
  return Array.from(values, ([key, value]) => ({ kind: 'put', key: legacyValueKey(key), value }));
}

/**
 * Makes a ledger that holds nothing in a store that has none, or finds where the one in it stands. What else is in the
 * store does not matter.
 *
 * @throws CodedError those of `checkStore`, `consensus-mismatch`, `store-corrupt`
 */
export async function openStanding(store: Store, identity: LogIdentity): Promise<Standing> {
  if (store.get(LAYOUT_KEY) === undefined) {
    const first: Standing = { kind: 'map', root: new LegacyState().root, lastIndex: null };
    await store.batch([...identityOps(identity), ...standingOps(first)], { sync: true });
    return first;
  }
  await checkStore(store, identity);
  const written = store.get(RAFT_LEDGER_KEY);
  if (written === undefined) {
    throw codedError('consensus-mismatch', 'the data directory is that of a chain of HotStuff');
  }
  const content = contentOf(written);
  if (content === null) throw corrupt('where the ledger stands has changed since it was written');
  try {
    return standingCodec.decodeOwn(content);
  } catch (error) {
    if (error instanceof AssertionError) throw corrupt('where the ledger stands does not decode');
    throw error;
  }
}

/** The older system's values, into memory. @throws CodedError `store-corrupt`, `state-root-mismatch` */
export async function loadLegacy(store: Pick<Store, 'entries'>, root: Hash | null): Promise<LegacyState> {
  const values: [string, Uint8Array][] = [];
  for await (const [key, value] of store.entries(LEGACY_RANGE)) {
    try {
      values.push([textFromUtf8(key.subarray(1)), value]);
    } catch (error) {
      throw codedError('store-corrupt', 'a key of the older system is no text', {}, { cause: error });
    }
  }
  const legacy = new LegacyState(values);
  if (root !== null && legacy.root !== root) {
    throw codedError('state-root-mismatch', "the older system's values are not those that were written", {
      named: root,
      computed: legacy.root,
    });
  }
  return legacy;
}

function corrupt(message: string): CodedError {
  return codedError('store-corrupt', message);
}
