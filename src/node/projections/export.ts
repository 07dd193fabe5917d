/**
 * The ledger as lines, for other programs: the records as they are at one height, or the events of a range of heights.
 * Names are those that users of masa-oracle know; integers are digits, however long.
 */
import { toBase64 } from '../../base/base64.ts';
import { textFromUtf8 } from '../../base/bytes.ts';
import { ZERO_HASH } from '../../base/hash.ts';
import { codedError, unwrap } from '../../base/result.ts';
import { BlockLog, type LogIdentity } from '../../ledger/block-log.ts';
import type { SignedEvent } from '../../ledger/event.ts';
import { rangeOf, stateKey } from '../../ledger/layout.ts';
import { parametersAt } from '../../ledger/parameters.ts';
import { nodeEntryCodec, type NodeRecord } from '../../ledger/record.ts';
import { deriveNodeData, stringifyWithDigits, type NodeData, type ReaderContext } from '../../ledger/record-view.ts';
import { NODE_KEY_PREFIX, type StateReader } from '../../ledger/state.ts';
import { validatorListCodec, VALIDATORS_KEY } from '../../ledger/validators.ts';
import type { StoreView } from '../../store/store.ts';
import { readOnly } from '../replay/source.ts';
import { checkServed, heightsOf } from './past-states.ts';

export const EXPORT_FORMATS = ['jsonl', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export type ExportQuery =
  | { readonly what: 'state'; readonly format: ExportFormat }
  | {
      readonly what: 'events';
      readonly format: ExportFormat;
      /** Inclusive; null: the first, and the last, that the node has. */
      readonly from: number | null;
      readonly to: number | null;
    };

export interface LedgerExport {
  /** Of the state, or of the last block whose events are told. */
  readonly height: number;
  /** Each with its end of line, several together. */
  readonly lines: AsyncIterable<string>;
  /** Of whoever asked, always, once: until then the store keeps what it held when the export began. */
  readonly close: () => Promise<void>;
}

const CHARACTERS_PER_CHUNK = 64 * 1024;

/**
 * @param view is closed by `close`, or here when this throws
 * @throws CodedError `height-not-served`, `blocks-pruned`
 */
export async function exportLines(
  view: StoreView,
  identity: LogIdentity,
  query: ExportQuery,
  nowSeconds: number,
): Promise<LedgerExport> {
  try {
    const log = BlockLog.over(readOnly(view), identity);
    const head = log.head().height;
    if (query.what === 'state') {
      const records = stateLines(view, query.format, readerOf(view, head, nowSeconds));
      return { height: head, lines: inChunks(records), close: () => view.close() };
    }
    const held = await heightsOf(view, log);
    const { from = held.from, to = held.to } = { from: query.from ?? undefined, to: query.to ?? undefined };
    for (const height of [from, to]) unwrap(checkServed(height, held));
    const lines = inChunks(eventLines(log, query.format, from, to));
    return { height: to, lines, close: () => view.close() };
  } catch (error) {
    await view.close();
    throw error;
  }
}

async function* inChunks(lines: AsyncIterable<string>): AsyncGenerator<string, void> {
  let chunk = '';
  for await (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHARACTERS_PER_CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

interface Reader extends Omit<ReaderContext, 'isValidator'> {
  readonly validators: ReadonlySet<string>;
}

/** Whether a node is active is asked of the exporter's clock. */
function readerOf(view: StoreView, height: number, nowSeconds: number): Reader {
  const state: StateReader = { get: (key) => view.get(stateKey(key)) };
  const list = state.get(VALIDATORS_KEY);
  const members = list === undefined ? [] : validatorListCodec.decodeOwn(list).validators;
  return {
    nowSeconds,
    parameters: parametersAt(state, height + 1),
    validators: new Set(members.map(({ peerId }) => peerId)),
  };
}

async function* stateLines(view: StoreView, format: ExportFormat, reader: Reader): AsyncGenerator<string, void> {
  const columns = Object.keys(viewOf(BLANK, reader)) as (keyof NodeData)[];
  if (format === 'csv') yield csvLine(columns);
  for await (const [, value] of view.entries(rangeOf(stateKey(NODE_KEY_PREFIX)))) {
    const entry = nodeEntryCodec.decodeOwn(value);
    if (entry.kind === 'absent') continue;
    const data = viewOf(entry, reader);
    yield format === 'csv' ? csvLine(columns.map((name) => literal(data[name]))) : stringifyWithDigits(data);
  }
}

function viewOf(record: NodeRecord, { validators, ...reader }: Reader): NodeData {
  return deriveNodeData(record, { ...reader, isValidator: validators.has(record.peerId) });
}

const COMMON_COLUMNS = ['height', 'blockTime', 'index', 'id', 'type', 'peerId', 'seq', 'time'] as const;
const NODE_COLUMNS = [
  ...['multiaddrs', 'version', 'isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'],
] as const;
/** Whatever else an event says, as JSON. */
const OTHER_COLUMNS = ['other', 'signature'] as const;

async function* eventLines(
  log: BlockLog,
  format: ExportFormat,
  from: number,
  to: number,
): AsyncGenerator<string, void> {
  if (format === 'csv') yield csvLine([...COMMON_COLUMNS, ...NODE_COLUMNS, ...OTHER_COLUMNS]);
  for (let height = from; height <= to; height++) {
    const sealed = log.sealedBlockAt(height);
    if (sealed === undefined) throw codedError('store-corrupt', 'a block is missing from the log', { height });
    const { events, header } = sealed.block;
    for (const [index, event] of events.entries()) {
      yield format === 'csv'
        ? eventCsv(event, height, header.timestamp, index)
        : eventJson(event, height, header.timestamp, index);
    }
  }
}

/** The event as it was signed, to the byte. */
function eventJson({ id, json, signature }: SignedEvent, height: number, blockTime: number, index: number): string {
  const common = stringifyWithDigits({ height, blockTime, index, id });
  return `${common.slice(0, -1)},"event":${textFromUtf8(json)},"signature":"${toBase64(signature)}"}`;
}

function eventCsv({ id, json, signature }: SignedEvent, height: number, blockTime: number, index: number): string {
  const said = JSON.parse(textFromUtf8(json)) as Record<string, unknown>;
  const { peerId, seq, time, type, ...rest } = said;
  const known = NODE_COLUMNS.map((name) => {
    const value = rest[name];
    delete rest[name];
    return literal(value);
  });
  const other = Object.keys(rest).length === 0 ? undefined : JSON.stringify(rest);
  return csvLine([height, blockTime, index, id, type, peerId, seq, time, ...known, other, toBase64(signature)]);
}

/** RFC 4180; lists are apart by blanks, as in `multiaddrsString`. */
function csvLine(values: readonly unknown[]): string {
  return values.map(csvField).join(',');
}

/**
 * Of a field that a node fills as it likes: a spreadsheet takes what begins so for a formula, and runs it (OWASP, "CSV
 * Injection"). A quote before it says that it is none.
 */
function literal(value: unknown): unknown {
  return typeof value === 'string' && /^[=+\-@]/.test(value) ? `'${value}` : value;
}

function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = Array.isArray(value) ? value.join(' ') : `${value as string | number}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** For the names of the columns, also where there is no record. */
const BLANK = {
  kind: 'record',
  peerId: '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L',
  origin: 'event',
  multiaddrs: [],
  version: '',
  stake: null,
  activity: 'joined',
  firstJoined: 0,
  lastJoined: 0,
  lastLeft: 0,
  lastHeard: 0,
  lastUpdated: 0,
  closedUptimeNs: 0n,
  workerTimeoutNs: null,
  lastSeq: 0,
  lastEventId: ZERO_HASH,
} as unknown as NodeRecord;
