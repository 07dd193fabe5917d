/** The first state and the rows of projections that follow from it, in a place that is empty. */
import type { Hash } from '../../base/hash.ts';
import { codedError } from '../../base/result.ts';
import { loadStateTree } from '../../ledger/block-log.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import type { StateChange } from '../../ledger/state.ts';
import type { Projection } from '../../projections/projection.ts';
import { PendingRows, Rows } from '../../projections/rows.ts';
import type { Store } from '../../store/store.ts';
import type { Place, PlaceDescription, PlaceStanding } from './place.ts';
import type { LedgerSource } from './source.ts';

export interface FirstState extends Pick<GenesisState, 'block' | 'chainId' | 'sealed'> {
  readonly kind: PlaceDescription['from']['kind'];
  /** Of the genesis block, behind which the rounds of the first epoch begin. */
  readonly genesisId: Hash;
  /** About it, for people; null: it is the beginning of the ledger. */
  readonly note: string | null;
  /** Puts it into an empty place, checked. @throws CodedError where it is not the state of the block */
  readonly write: (place: Place) => Promise<void>;
  /** For projections, once it is in the place: all of it, in parts where it may be larger than the memory. */
  readonly parts: (store: Pick<Store, 'entries'>) => AsyncIterable<readonly StateChange[]>;
}

export interface FirstStateOptions {
  readonly source: LedgerSource;
  readonly genesis: Genesis;
  /** That the log is in, and its snapshots. */
  readonly dataDirectory: string;
  /** That check the chunks of a snapshot. */
  readonly threads: number;
}

/** Of the rows in a place. */
export const PLACE_GENERATION = 0;

/**
 * The progress is written last: a place that a killed process left before counts as empty.
 *
 * @throws CodedError `state-root-mismatch`, and what `first.write` throws
 */
export async function begin(
  place: Place,
  first: FirstState,
  projections: readonly Projection[],
): Promise<PlaceStanding> {
  const { block } = first;
  await first.write(place);
  const { tree, version } = await loadStateTree(place.store);
  if (version.root !== block.header.stateRoot) {
    const { height, stateRoot: named } = block.header;
    const message = 'the state that the replay begins with is not that of its block';
    throw codedError('state-root-mismatch', message, { height, named, computed: version.root });
  }
  await makeRows(place, first, projections);
  await place.write([], { block, events: 0 });
  return { block, events: 0, tree, version };
}

async function makeRows(place: Place, first: FirstState, projections: readonly Projection[]): Promise<void> {
  const { block, kind, parts } = first;
  const { height } = block.header;
  // Of a state in a snapshot nobody knows how it came to be: it is no block's work.
  const told = kind === 'snapshot' ? { header: { ...block.header, proposer: '' }, events: [] } : block;
  const builds = projections.map((projection) => {
    const rows = new Rows(place.store, projection.name, PLACE_GENERATION);
    return { projection, rows, pending: new PendingRows(rows) };
  });
  for await (const changes of parts(place.store)) {
    for (const { pending, projection } of builds) {
      pending.add(projection.apply({ header: told.header, events: told.events, changes }, pending));
    }
    await place.fill(builds.flatMap(({ pending, rows }) => rows.writeOps(pending.take(), height)));
  }
}
