/** What a server finds in its store when it starts: the state before the engine's first step. */
import type { Hash } from '../../base/hash.ts';
import { bootstrapEntry } from '../../raft/bootstrap.ts';
import { codedError, unwrap } from '../../base/result.ts';
import type { ConfigurationCodec, HardState, SnapshotMeta } from '../../raft/contract.ts';
import type { Configuration, LoggedConfiguration } from '../../raft/messages.ts';
import { historyOf, historyOfSnapshot } from '../../raft/history.ts';
import type { AppliedRecord, HistoryRecord, StoredSnapshot } from '../../raft/stored-records.ts';
import type { Store } from '../../store/store.ts';
import { historyOp, openRaft, type RaftLogStore, type StoredRaft } from './log-store.ts';
import type { RaftServerOptions } from './server-options.ts';
import { replaceState } from './snapshotting.ts';

export interface OpenedRaft {
  readonly log: RaftLogStore;
  readonly hardState: HardState;
  readonly snapshot: StoredSnapshot | null;
  readonly applied: AppliedRecord;
  readonly history: HistoryRecord | null;
  /** The one in force at the applied index first, then those behind it. */
  readonly configurations: readonly LoggedConfiguration[];
}

const NO_CONFIGURATION: LoggedConfiguration = { index: 0, configuration: { servers: [] } };

/**
 * A restore that was cut off is done again first.
 *
 * @throws CodedError of `openRaft`, `raft-foreign-log`, `raft-snapshot-damaged`, `snapshot-malformed`
 */
export async function openServer<O>(
  options: Pick<RaftServerOptions<O>, 'codec' | 'machine' | 'pinnedHistory' | 'snapshots' | 'store'>,
): Promise<OpenedRaft> {
  const { codec, pinnedHistory, store } = options;
  let found = await openRaft(store);
  if (found.restoring !== null) {
    await restoreAgain(found.restoring, found.log, options);
    found = await openRaft(store);
  }
  const { applied, hardState, log, snapshot } = found;
  // What a crash left of a history whose first entry never arrived.
  const history = log.lastIndex === 0 ? null : await historyIn(found, store);
  checkPinned(history, pinnedHistory);
  return { log, hardState, snapshot, applied, history, configurations: configurationsOf(found, codec) };
}

/**
 * A process that ended behind a restore did not come to say whose history its log is of now, and without that no snapshot
 * would be taken again. Where it began with others, a snapshot is of what a majority of them holds.
 */
async function historyIn({ history, snapshot }: StoredRaft, store: Store): Promise<HistoryRecord | null> {
  if (snapshot === null || history?.shared === true) return history;
  const isOfSeveral = history !== null && history.servers.filter(({ suffrage }) => suffrage === 'voter').length > 1;
  if (history !== null && !isOfSeveral) return history;
  const known = history === null ? historyOfSnapshot(metaOf(snapshot)) : { ...history, shared: true };
  await store.batch([historyOp(known)], { sync: true });
  return known;
}

function checkPinned(history: HistoryRecord | null, pinned: Hash | null): void {
  if (history === null || pinned === null || history.hash === pinned || history.origin === 'snapshot') return;
  throw codedError('raft-foreign-log', 'the log in the data directory is of another history than the pinned one', {
    own: history.hash,
    ownServers: history.servers.map(({ address, id }) => `${id}=${address}`).join(','),
    pinned,
  });
}

/**
 * The first entry of a cluster that nobody else writes.
 *
 * @throws CodedError `raft-log-exists`, `raft-configuration-invalid`
 */
export async function bootstrap(store: Store, codec: ConfigurationCodec, configuration: Configuration): Promise<void> {
  const { hardState, log, snapshot } = await openRaft(store);
  if (log.lastIndex > 0 || snapshot !== null || hardState.term > 0) {
    throw codedError('raft-log-exists', 'this server has a log already: a cluster is begun on an empty one', {
      lastIndex: log.lastIndex,
      term: hardState.term,
    });
  }
  const { entry, hardState: first } = unwrap(bootstrapEntry(configuration, codec));
  await store.batch(
    [
      ...log.persistOps({ kind: 'persist', persist: 1, hardState: first, truncateFrom: null, entries: [entry] }),
      historyOp(historyOf(entry, configuration.servers, false)),
    ],
    { sync: true },
  );
}

/** Whether a server has never been of any cluster. */
export async function isBlank(store: Store): Promise<boolean> {
  const { hardState, log, snapshot } = await openRaft(store);
  return log.lastIndex === 0 && snapshot === null && hardState.term === 0;
}

export function metaOf({ configuration, lastIndex, lastTerm }: StoredSnapshot): SnapshotMeta {
  return { lastIndex, lastTerm, configuration };
}

async function restoreAgain<O>(
  snapshot: StoredSnapshot,
  log: RaftLogStore,
  { machine, snapshots, store }: Pick<RaftServerOptions<O>, 'machine' | 'snapshots' | 'store'>,
): Promise<void> {
  const refusal = await replaceState(snapshot, {
    log,
    machine,
    snapshots,
    write: ({ operations, sync }) => store.batch(operations, { sync }),
  });
  if (refusal !== null) throw codedError(refusal.code, refusal.message, refusal.details);
}

function configurationsOf(
  { applied, configurationEntries, snapshot }: StoredRaft,
  codec: ConfigurationCodec,
): readonly LoggedConfiguration[] {
  const all: LoggedConfiguration[] = [snapshot?.configuration ?? NO_CONFIGURATION];
  for (const entry of configurationEntries) {
    if (entry.index <= (all[0]?.index ?? 0)) continue;
    all.push({ index: entry.index, configuration: unwrap(codec.decode(entry)) });
  }
  const inForce = all.findLastIndex(({ index }) => index <= applied.index);
  return all.slice(Math.max(0, inForce));
}
