/**
 * `node-data`: the nodes by what they can do, by version, by stake and by when they were last heard of. The records
 * themselves are in the state; here is one small row a node, which says where it is indexed, and the indexes.
 */
import { concatBytes, equalBytes, utf8, textFromUtf8 } from '../base/bytes.ts';
import { bool, codec, list, oneOf, struct, text, uint } from '../base/codec.ts';
import { bigEndian, rangeOf } from '../ledger/layout.ts';
import { MAX_VERSION_LENGTH, nodeEntryCodec, type NodeRecord } from '../ledger/record.ts';
import { NODE_KEY_PREFIX } from '../ledger/state.ts';
import type { KeyRange, StoreOperation } from '../store/store.ts';
import type { ProjectedBlock, Projection, ProjectionReader, RowReader } from './projection.ts';

export const CAPABILITIES = ['isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'] as const;
export type Capability = (typeof CAPABILITIES)[number];

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
const COUNT_KEY = utf8('#');
const NOTHING = new Uint8Array(0);

/** Row keys: a letter, what is indexed, and the peer id, apart by a zero byte, which no version and no peer id holds. */
const nodeRowKey = (peerId: string) => key('n', peerId);
const nodesWith = (capability: Capability) => key('c', capability, '');
const nodesOfVersion = (version: string) => key('v', version, '');
const STAKED = key('s', '');

function key(...parts: readonly string[]): Uint8Array {
  return utf8(parts.join('\0'));
}

/** Joined nodes in the order of when they were last heard of. */
function heardKey(lastHeard: number): Uint8Array {
  return concatBytes(key('h', ''), bigEndian(lastHeard));
}

export const nodeData: Projection = {
  name: 'node-data',
  version: 1,
  apply({ changes }: ProjectedBlock, view: RowReader): readonly StoreOperation[] {
    const operations: StoreOperation[] = [];
    let records = recordCount(view);
    for (const { key: stateKey, value } of changes) {
      if (!stateKey.startsWith(NODE_KEY_PREFIX)) continue;
      const peerId = stateKey.slice(NODE_KEY_PREFIX.length);
      const before = rowOf(view, peerId);
      const after = value === undefined ? undefined : rowFromEntry(value);
      operations.push(...moveOps(peerId, before, after));
      records += Number(after !== undefined) - Number(before !== undefined);
    }
    if (operations.length > 0) operations.push(put(COUNT_KEY, countCodec.encode({ records })));
    return operations;
  },
};

/** Nodes that have a record. */
export function recordCount(view: RowReader): number {
  const count = view.get(COUNT_KEY);
  return count === undefined ? 0 : countCodec.decodeOwn(count).records;
}

/** Peer ids in their own order, from one on. */
export function peerIds(reader: ProjectionReader, options: PageOptions = {}): AsyncIterable<string> {
  const all = rangeOf(nodeRowKey(''));
  const range = options.after === undefined ? all : { ...all, gte: nodeRowKey(`${options.after}\0`) };
  return peerIdsIn(reader, limited(range, options), nodeRowKey('').length);
}

export interface PageOptions {
  /** Begin after this peer id. */
  readonly after?: string;
  readonly limit?: number;
}

export function peerIdsWith(reader: ProjectionReader, capability: Capability): AsyncIterable<string> {
  return peerIdsUnder(reader, nodesWith(capability));
}

export function peerIdsOfVersion(reader: ProjectionReader, version: string): AsyncIterable<string> {
  return peerIdsUnder(reader, nodesOfVersion(version));
}

export function stakedPeerIds(reader: ProjectionReader): AsyncIterable<string> {
  return peerIdsUnder(reader, STAKED);
}

/** Joined nodes that were heard of at this time (unix seconds) or later, the longest silent first. */
export function peerIdsHeardSince(reader: ProjectionReader, seconds: number): AsyncIterable<string> {
  const range = { ...rangeOf(key('h', '')), gte: heardKey(seconds) };
  return peerIdsIn(reader, range, heardKey(0).length);
}

function peerIdsUnder(reader: ProjectionReader, prefix: Uint8Array): AsyncIterable<string> {
  return peerIdsIn(reader, rangeOf(prefix), prefix.length);
}

async function* peerIdsIn(reader: ProjectionReader, range: KeyRange, prefixLength: number): AsyncIterable<string> {
  for await (const [rowKey] of reader.entries(range)) yield textFromUtf8(rowKey.subarray(prefixLength));
}

function limited(range: KeyRange, { limit }: PageOptions): KeyRange {
  return limit === undefined ? range : { ...range, limit };
}

function rowOf(view: RowReader, peerId: string): NodeRow | undefined {
  const row = view.get(nodeRowKey(peerId));
  return row === undefined ? undefined : rowCodec.decodeOwn(row);
}

/** An entry without a record (a node that was removed) is not indexed. */
function rowFromEntry(value: Uint8Array): NodeRow | undefined {
  const entry = nodeEntryCodec.decodeOwn(value);
  return entry.kind === 'record' ? rowFromRecord(entry) : undefined;
}

function rowFromRecord(record: NodeRecord): NodeRow {
  return {
    capabilities: CAPABILITIES.filter((capability) => record[capability]),
    version: record.version,
    isStaked: record.stake?.isStaked ?? false,
    isJoined: record.activity === 'joined',
    lastHeard: record.lastHeard,
  };
}

/** Only what differs: most events change no more of it than when the node was last heard of. */
function moveOps(peerId: string, before: NodeRow | undefined, after: NodeRow | undefined): StoreOperation[] {
  const oldIndexes = before === undefined ? [] : indexesOf(before);
  const newIndexes = after === undefined ? [] : indexesOf(after);
  const id = utf8(peerId);
  const left = without(oldIndexes, newIndexes).map((index) => deleted(concatBytes(index, id)));
  const entered = without(newIndexes, oldIndexes).map((index) => put(concatBytes(index, id), NOTHING));
  const row = nodeRowKey(peerId);
  if (after === undefined) return before === undefined ? [] : [...left, deleted(row)];
  const isSame = left.length === 0 && entered.length === 0 && before?.lastHeard === after.lastHeard;
  return isSame ? [] : [...left, ...entered, put(row, rowCodec.encode(after))];
}

/** The prefixes under which the row's node is found. */
function indexesOf(row: NodeRow): Uint8Array[] {
  const prefixes = [...row.capabilities.map(nodesWith), nodesOfVersion(row.version)];
  if (row.isStaked) prefixes.push(STAKED);
  if (row.isJoined) prefixes.push(heardKey(row.lastHeard));
  return prefixes;
}

function without(prefixes: readonly Uint8Array[], others: readonly Uint8Array[]): readonly Uint8Array[] {
  return prefixes.filter((prefix) => !others.some((other) => equalBytes(prefix, other)));
}

function put(rowKey: Uint8Array, value: Uint8Array): StoreOperation {
  return { kind: 'put', key: rowKey, value };
}

function deleted(rowKey: Uint8Array): StoreOperation {
  return { kind: 'delete', key: rowKey };
}
