/**
 * `node-data`: the nodes by what they can do, by version, by stake and by when they were last heard of. The records
 * themselves are in the state; here is one small row a node, which says where it is indexed, and the indexes.
 */
import { textFromUtf8 } from '../base/bytes.ts';
import { bool, codec, list, oneOf, struct, text, uint } from '../base/codec.ts';
import { decodeOwnEntry } from '../ledger/known-entries.ts';
import { MAX_VERSION_LENGTH, type NodeRecord } from '../ledger/record.ts';
import { NODE_KEY_PREFIX } from '../ledger/state.ts';
import { PRESENT, type KeyRange } from '../store/store.ts';
import type { ProjectedBlock, Projection, ProjectionReader, RowOperation, RowReader } from './projection.ts';
import { numberInKey, rangeUnder, rowKey, rowKeyBytes, textInKey, type RowKey } from './row-key.ts';
import { decodeRow } from './rows.ts';

/** The places are part of the format of a row: a new one goes to the end, and rows without it stay what they are. */
export const CAPABILITIES = [
  'isTwitterScraper',
  'isDiscordScraper',
  'isTelegramScraper',
  'isWebScraper',
  'isLlmServer',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** In the order of the list. */
export function capabilitiesOf(declared: Readonly<Record<Capability, boolean>>): readonly Capability[] {
  return CAPABILITIES.filter((capability) => declared[capability]);
}

/** Where a node is indexed. */
interface NodeRow {
  readonly capabilities: readonly Capability[];
  readonly version: string;
  readonly isStaked: boolean;
  readonly isJoined: boolean;
  /** Unix seconds. */
  readonly lastHeard: number;
}

const rowCodec = codec(
  struct<NodeRow>({
    capabilities: list(oneOf(CAPABILITIES), CAPABILITIES.length),
    version: text(MAX_VERSION_LENGTH),
    isStaked: bool,
    isJoined: bool,
    lastHeard: uint(),
  }),
  256,
);

const countCodec = codec(struct<{ records: number }>({ records: uint() }), 32);
const COUNT_KEY = rowKey('#');

/** Row keys: a letter, what is indexed, and the peer id, apart by a zero byte, which no version and no peer id holds. */
const nodeRowKey = (peerId: string) => rowKey('n\0', peerId);
const withCapability = (capability: Capability) => rowKey('c\0', capability, '\0');
const CAPABILITY_LABELS = CAPABILITIES.map((capability) => [capability, withCapability(capability)] as const);
const ofVersion = (version: string) => rowKey('v\0', textInKey(version), '\0');
const STAKED = rowKey('s\0');
const HEARD = rowKey('h\0');

/** Joined nodes in the order of when they were last heard of. */
function heardKey(lastHeard: number, peerId = ''): RowKey {
  return rowKey(HEARD, numberInKey(lastHeard), peerId);
}

export const nodeData: Projection = {
  name: 'node-data',
  version: 2,
  isOfStateAlone: true,
  apply({ changes }: ProjectedBlock, view: RowReader): readonly RowOperation[] {
    const operations: RowOperation[] = [];
    const before = view.get(COUNT_KEY);
    let records = countIn(before);
    for (const change of changes) {
      if (!change.key.startsWith(NODE_KEY_PREFIX)) continue;
      const peerId = change.key.slice(NODE_KEY_PREFIX.length);
      // What the row says is in the entry that was replaced: reading it from the store again costs 10 to 40 us.
      const was = 'before' in change ? rowFromEntry(change.before) : rowOf(view, peerId);
      const is = rowFromEntry(change.value);
      moveNode(peerId, was, is, operations);
      records += Number(is !== undefined) - Number(was !== undefined);
    }
    // None is a count too: the rows are those of the state, whether there was ever a node or not.
    if (operations.length > 0 || before === undefined) operations.push(put(COUNT_KEY, countCodec.encode({ records })));
    return operations;
  },
};

/** Nodes that have a record. */
export function recordCount(view: RowReader): number {
  return countIn(view.get(COUNT_KEY));
}

function countIn(count: Uint8Array | undefined): number {
  return count === undefined ? 0 : decodeRow(countCodec, count).records;
}

/** Peer ids in their own order, from one on. */
export function peerIds(reader: ProjectionReader, options: PageOptions = {}): AsyncIterable<string> {
  const all = rangeUnder(nodeRowKey(''));
  const range = options.after === undefined ? all : { ...all, gte: rowKeyBytes(nodeRowKey(`${options.after}\0`)) };
  return peerIdsIn(reader, limited(range, options), nodeRowKey('').length);
}

export interface PageOptions {
  /** Begin after this peer id. */
  readonly after?: string;
  readonly limit?: number;
}

export function peerIdsWith(reader: ProjectionReader, capability: Capability): AsyncIterable<string> {
  return peerIdsUnder(reader, withCapability(capability));
}

export function peerIdsOfVersion(reader: ProjectionReader, version: string): AsyncIterable<string> {
  return peerIdsUnder(reader, ofVersion(version));
}

export function stakedPeerIds(reader: ProjectionReader): AsyncIterable<string> {
  return peerIdsUnder(reader, STAKED);
}

/** Joined nodes that were heard of at this time (unix seconds) or later, the longest silent first. */
export function peerIdsHeardSince(reader: ProjectionReader, seconds: number): AsyncIterable<string> {
  const range = { ...rangeUnder(HEARD), gte: rowKeyBytes(heardKey(seconds)) };
  return peerIdsIn(reader, range, heardKey(0).length);
}

function peerIdsUnder(reader: ProjectionReader, prefix: RowKey): AsyncIterable<string> {
  return peerIdsIn(reader, rangeUnder(prefix), prefix.length);
}

async function* peerIdsIn(reader: ProjectionReader, range: KeyRange, prefixLength: number): AsyncIterable<string> {
  for await (const [key] of reader.entries(range)) yield textFromUtf8(key.subarray(prefixLength));
}

function limited(range: KeyRange, { limit }: PageOptions): KeyRange {
  return limit === undefined ? range : { ...range, limit };
}

function rowOf(view: RowReader, peerId: string): NodeRow | undefined {
  const row = view.get(nodeRowKey(peerId));
  return row === undefined ? undefined : decodeRow(rowCodec, row);
}

/** An entry without a record (a node that was removed) is not indexed. */
function rowFromEntry(value: Uint8Array | undefined): NodeRow | undefined {
  if (value === undefined) return undefined;
  const entry = decodeOwnEntry(value);
  return entry.kind === 'record' ? rowFromRecord(entry) : undefined;
}

function rowFromRecord(record: NodeRecord): NodeRow {
  return {
    capabilities: capabilitiesOf(record),
    version: record.version,
    isStaked: record.stake?.isStaked ?? false,
    isJoined: record.activity === 'joined',
    lastHeard: record.lastHeard,
  };
}

/** Only what differs: most events change no more of it than when the node was last heard of. */
function moveNode(
  peerId: string,
  before: NodeRow | undefined,
  after: NodeRow | undefined,
  operations: RowOperation[],
): void {
  const movedBefore = operations.length;
  const move = (from: RowKey | undefined, to: RowKey | undefined): void => {
    if (from === to) return;
    if (from !== undefined) operations.push(deleted(rowKey(from, peerId)));
    if (to !== undefined) operations.push(put(rowKey(to, peerId), PRESENT));
  };
  for (const [capability, label] of CAPABILITY_LABELS) {
    move(labelOf(before, capability, label), labelOf(after, capability, label));
  }
  if (before?.version !== after?.version) move(versionLabel(before), versionLabel(after));
  move(before?.isStaked === true ? STAKED : undefined, after?.isStaked === true ? STAKED : undefined);
  const heardBefore = heardOf(before);
  const heardAfter = heardOf(after);
  if (heardBefore !== heardAfter) {
    if (heardBefore !== undefined) operations.push(deleted(heardKey(heardBefore, peerId)));
    if (heardAfter !== undefined) operations.push(put(heardKey(heardAfter, peerId), PRESENT));
  }
  if (after === undefined) {
    if (before !== undefined) operations.push(deleted(nodeRowKey(peerId)));
  } else if (operations.length > movedBefore || before?.lastHeard !== after.lastHeard) {
    operations.push(put(nodeRowKey(peerId), rowCodec.encode(after)));
  }
}

function labelOf(row: NodeRow | undefined, capability: Capability, label: RowKey): RowKey | undefined {
  return row?.capabilities.includes(capability) === true ? label : undefined;
}

function versionLabel(row: NodeRow | undefined): RowKey | undefined {
  return row === undefined ? undefined : ofVersion(row.version);
}

/** Only joined nodes are in the order of when they were last heard of. */
function heardOf(row: NodeRow | undefined): number | undefined {
  return row?.isJoined === true ? row.lastHeard : undefined;
}

function put(key: RowKey, value: Uint8Array): RowOperation {
  return { kind: 'put', key, value };
}

function deleted(key: RowKey): RowOperation {
  return { kind: 'delete', key };
}
