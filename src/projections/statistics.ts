/**
 * `statistics`: how many nodes there are, of which kind; and what happened, in all, by day and by epoch.
 *
 *     t                        all of it now
 *     v 0 version              nodes that run it
 *     d 0 day                  what happened on a day, and how many nodes there were at its end; big-endian, days since 1970
 *     p 0 epoch                the same of an epoch; big-endian
 *     s 0 peer id              as what a node is counted
 */
import { textFromUtf8 } from '../base/bytes.ts';
import { bool, codec, list, oneOf, struct, text, uint } from '../base/codec.ts';
import { decodeOwnEntry } from '../ledger/known-entries.ts';
import { fromBigEndian } from '../ledger/layout.ts';
import { MAX_VERSION_LENGTH } from '../ledger/record.ts';
import { NODE_KEY_PREFIX } from '../ledger/state.ts';
import { CAPABILITIES, capabilitiesOf, type Capability } from './node-data.ts';
import type { ProjectedBlock, Projection, ProjectionReader, RowOperation, RowReader } from './projection.ts';
import { numberInKey, rangeUnder, rowKey, textInKey } from './row-key.ts';
import { decodeRow } from './rows.ts';

/** Nodes, each counted once in every line that is true of it. */
export interface NodeCounts {
  readonly records: number;
  readonly joined: number;
  readonly left: number;
  readonly staked: number;
  /** In the order in which the projections list them; of those that any node ever had. */
  readonly capabilities: readonly CapabilityCount[];
}

export interface CapabilityCount {
  readonly capability: Capability;
  readonly count: number;
}

export interface TypeCount {
  readonly type: string;
  readonly count: number;
}

export interface Activity {
  readonly blocks: number;
  readonly events: number;
  /** By type, in the order of their names. */
  readonly types: readonly TypeCount[];
}

export interface Totals extends Activity {
  readonly nodes: NodeCounts;
}

export interface Period extends Totals {
  readonly firstHeight: number;
  readonly lastHeight: number;
  /** Block times, unix seconds. */
  readonly firstTime: number;
  readonly lastTime: number;
}

export interface Day extends Period {
  /** Since 1970-01-01, UTC. */
  readonly day: number;
}

export interface Epoch extends Period {
  readonly epoch: number;
}

/** As what a node is counted. */
interface NodeRow {
  readonly isJoined: boolean;
  readonly isStaked: boolean;
  readonly capabilities: readonly Capability[];
  readonly version: string;
}

/** More types of events than there will be. */
const MAX_TYPES = 256;
const SECONDS_PER_DAY = 86_400;

const countsShape = struct<NodeCounts>({
  records: uint(),
  joined: uint(),
  left: uint(),
  staked: uint(),
  capabilities: list(struct<CapabilityCount>({ capability: oneOf(CAPABILITIES), count: uint() }), CAPABILITIES.length),
});
const typesShape = list(struct<TypeCount>({ type: text(64), count: uint() }), MAX_TYPES);
const totalsFields = { blocks: uint(), events: uint(), types: typesShape, nodes: countsShape };
const totalsCodec = codec(struct<Totals>(totalsFields), 32 * 1024);
const periodCodec = codec(
  struct<Period>({ ...totalsFields, firstHeight: uint(), lastHeight: uint(), firstTime: uint(), lastTime: uint() }),
  32 * 1024,
);
const countCodec = codec(struct<{ count: number }>({ count: uint() }), 32);
const nodeRowCodec = codec(
  struct<NodeRow>({
    isJoined: bool,
    isStaked: bool,
    capabilities: list(oneOf(CAPABILITIES), CAPABILITIES.length),
    version: text(MAX_VERSION_LENGTH),
  }),
  128,
);

const TOTALS_KEY = rowKey('t');
const VERSIONS = rowKey('v\0');
const DAYS = rowKey('d\0');
const EPOCHS = rowKey('p\0');

const NO_NODES: NodeCounts = {
  records: 0,
  joined: 0,
  left: 0,
  staked: 0,
  capabilities: [],
};
const NOTHING: Totals = { blocks: 0, events: 0, types: [], nodes: NO_NODES };

const nodeRowKey = (peerId: string) => rowKey('s\0', peerId);
const versionKey = (version: string) => rowKey(VERSIONS, textInKey(version));
const dayKey = (day: number) => rowKey(DAYS, numberInKey(day));
const epochKey = (epoch: number) => rowKey(EPOCHS, numberInKey(epoch));

export const statistics: Projection = {
  name: 'statistics',
  version: 1,
  apply({ changes, events, header }: ProjectedBlock, view: RowReader): readonly RowOperation[] {
    const operations: RowOperation[] = [];
    const before = totalsOf(view);
    const difference = new Difference();
    for (const change of changes) {
      if (!change.key.startsWith(NODE_KEY_PREFIX)) continue;
      const peerId = change.key.slice(NODE_KEY_PREFIX.length);
      const was = 'before' in change ? rowFromEntry(change.before) : rowOf(view, peerId);
      const is = rowFromEntry(change.value);
      if (isSame(was, is)) continue;
      difference.count(was, -1);
      difference.count(is, 1);
      operations.push(rowOp(peerId, is));
    }
    const nodes = difference.appliedTo(before.nodes);
    for (const [version, by] of difference.versions) operations.push(...versionOps(view, version, by));
    const types = new Map<string, number>();
    for (const { event } of events) countInto(types, event.type, 1);
    const { epoch, height, timestamp } = header;
    const ofEpoch = view.get(epochKey(epoch));
    // A state that a log begins with comes in parts, which are one block.
    const isNew = ofEpoch === undefined || decodeRow(periodCodec, ofEpoch).lastHeight < height;
    const happened = { blocks: Number(isNew), events: events.length, types };
    const now = added(before, happened, nodes);
    operations.push({ kind: 'put', key: TOTALS_KEY, value: totalsCodec.encode(now) });
    for (const key of [dayKey(Math.floor(timestamp / SECONDS_PER_DAY)), epochKey(epoch)]) {
      const row = view.get(key);
      const period = row === undefined ? undefined : decodeRow(periodCodec, row);
      const { firstHeight = height, firstTime = timestamp } = period ?? {};
      const next = added(period ?? NOTHING, happened, nodes);
      const value = periodCodec.encode({ ...next, firstHeight, lastHeight: height, firstTime, lastTime: timestamp });
      operations.push({ kind: 'put', key, value });
    }
    return operations;
  },
};

export function totalsOf(view: RowReader): Totals {
  const row = view.get(TOTALS_KEY);
  return row === undefined ? NOTHING : decodeRow(totalsCodec, row);
}

/** How many nodes run each version, in the order of their names. */
export async function versionsOf(reader: ProjectionReader): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for await (const [key, row] of reader.entries(rangeUnder(VERSIONS))) {
    versions.set(textFromUtf8(key.subarray(VERSIONS.length)), decodeRow(countCodec, row).count);
  }
  return versions;
}

/** The newest days of which there are blocks, newest first. */
export async function daysOf(reader: ProjectionReader, limit: number): Promise<readonly Day[]> {
  const days: Day[] = [];
  for await (const [key, row] of reader.entries({ ...rangeUnder(DAYS), reverse: true, limit })) {
    days.push({ day: fromBigEndian(key.subarray(DAYS.length)), ...decodeRow(periodCodec, row) });
  }
  return days;
}

/** The newest epochs, newest first. */
export async function epochsOf(reader: ProjectionReader, limit: number): Promise<readonly Epoch[]> {
  const epochs: Epoch[] = [];
  for await (const [key, row] of reader.entries({ ...rangeUnder(EPOCHS), reverse: true, limit })) {
    epochs.push({ epoch: fromBigEndian(key.subarray(EPOCHS.length)), ...decodeRow(periodCodec, row) });
  }
  return epochs;
}

interface Happened {
  readonly blocks: number;
  readonly events: number;
  readonly types: ReadonlyMap<string, number>;
}

function added(before: Totals, { blocks, events, types }: Happened, nodes: NodeCounts): Totals {
  const counts = new Map(before.types.map(({ count: known, type }) => [type, known]));
  for (const [type, more] of types) countInto(counts, type, more);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, known]) => ({ type, count: known }));
  return { blocks: before.blocks + blocks, events: before.events + events, types: sorted, nodes };
}

function rowOf(view: RowReader, peerId: string): NodeRow | undefined {
  const row = view.get(nodeRowKey(peerId));
  return row === undefined ? undefined : decodeRow(nodeRowCodec, row);
}

function rowFromEntry(value: Uint8Array | undefined): NodeRow | undefined {
  if (value === undefined) return undefined;
  const entry = decodeOwnEntry(value);
  if (entry.kind === 'absent') return undefined;
  return {
    isJoined: entry.activity === 'joined',
    isStaked: entry.stake?.isStaked ?? false,
    capabilities: capabilitiesOf(entry),
    version: entry.version,
  };
}

function isSame(one: NodeRow | undefined, other: NodeRow | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const { capabilities, isJoined, isStaked, version } = one;
  if (isJoined !== other.isJoined || isStaked !== other.isStaked || version !== other.version) return false;
  return capabilities.join() === other.capabilities.join();
}

/** What a block makes of the counts. */
class Difference {
  readonly versions = new Map<string, number>();
  readonly #capabilities = new Map<Capability, number>();
  #records = 0;
  #joined = 0;
  #staked = 0;

  /** @param by 1: there is one more of these; -1: one less */
  count(row: NodeRow | undefined, by: 1 | -1): void {
    if (row === undefined) return;
    this.#records += by;
    if (row.isJoined) this.#joined += by;
    if (row.isStaked) this.#staked += by;
    for (const capability of row.capabilities) countInto(this.#capabilities, capability, by);
    countInto(this.versions, row.version, by);
  }

  appliedTo(before: NodeCounts): NodeCounts {
    const capabilities = new Map(before.capabilities.map(({ capability, count }) => [capability, count]));
    for (const [capability, by] of this.#capabilities) countInto(capabilities, capability, by);
    return {
      records: before.records + this.#records,
      joined: before.joined + this.#joined,
      left: before.left + this.#records - this.#joined,
      staked: before.staked + this.#staked,
      capabilities: CAPABILITIES.flatMap((capability) => {
        const count = capabilities.get(capability);
        return count === undefined ? [] : [{ capability, count }];
      }),
    };
  }
}

function countInto<T>(counts: Map<T, number>, what: T, by: number): void {
  counts.set(what, (counts.get(what) ?? 0) + by);
}

function rowOp(peerId: string, row: NodeRow | undefined): RowOperation {
  const key = nodeRowKey(peerId);
  return row === undefined ? { kind: 'delete', key } : { kind: 'put', key, value: nodeRowCodec.encode(row) };
}

function versionOps(view: RowReader, version: string, difference: number): RowOperation[] {
  if (difference === 0) return [];
  const key = versionKey(version);
  const row = view.get(key);
  const next = (row === undefined ? 0 : decodeRow(countCodec, row).count) + difference;
  return next === 0 ? [{ kind: 'delete', key }] : [{ kind: 'put', key, value: countCodec.encode({ count: next }) }];
}
